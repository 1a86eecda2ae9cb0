/** Scale, model, and what runs it. */
import { type Choice, choices, kindOf, modelsAddress } from "../models/catalog";
import type { ListedModel } from "../models/spec";
import { findGpu } from "../engine/gpu";
import type { EngineName, ModelSource } from "../engine/messages";
import { readModel } from "../models/read";
import { button, element, grouped } from "./dom";

export interface Chosen {
  model: ModelSource;
  engine: EngineName | "auto";
}

const asked = new URLSearchParams(location.search);

export class Controls {
  readonly root: HTMLFormElement;
  private readonly kinds: HTMLDivElement;
  private readonly list: HTMLSelectElement;
  private readonly engine: HTMLSelectElement;
  private readonly about: HTMLSpanElement;
  private choices: Choice[] = [];
  private models: ListedModel[] = [];
  private readonly opened = new Map<string, Uint8Array>();

  constructor(
    private readonly id: string,
    private readonly use: "images" | "footage",
    private readonly changed: () => void,
    private readonly fail: (text: string) => void,
  ) {
    this.kinds = element("div", { class: "segments" });
    this.list = element("select", { id: `${id}-model` });
    this.engine = element(
      "select",
      { id: `${id}-engine` },
      element("option", { value: "auto" }, "Automatic"),
      element("option", { value: "webgpu" }, "WebGPU"),
      element("option", { value: "wasm" }, "WebAssembly"),
    );
    this.about = element("span");
    const file = element("input", { type: "file", accept: ".onnx", class: "hidden-input", tabindex: "-1", "aria-hidden": "true" });
    file.addEventListener("change", () => {
      if (file.files?.[0]) void this.openFile(file.files[0]);
      file.value = "";
    });
    this.root = element(
      "form",
      { class: "controls", "aria-label": "Settings" },
      element(
        "fieldset",
        { class: "field" },
        element("legend", {}, "Scale"),
        this.kinds,
      ),
      element("div", { class: "field grow" }, element("label", { for: `${id}-model` }, "Model"), this.list),
      element("div", { class: "field" }, element("label", { for: `${id}-engine` }, "Runs on"), this.engine),
      element(
        "p",
        { class: "about" },
        this.about,
        button("Open a model file", "link", () => file.click()),
        file,
      ),
    );
    this.root.addEventListener("submit", (event) => event.preventDefault());
    this.list.addEventListener("change", () => this.notify());
    this.engine.addEventListener("change", () => this.notify());
    const wanted = asked.get("engine");
    if (wanted === "webgpu" || wanted === "wasm") this.engine.value = wanted;
    void this.lookForGpu();
  }

  /** The model and engine that are chosen. */
  get chosen(): Chosen | null {
    const found = this.current;
    if (!found) return null;
    const address = (file: string): string => new URL(file, modelsAddress()).href;
    const { file, int8, ...spec } = found.model;
    const bytes = this.opened.get(spec.name);
    return {
      engine: this.engine.value as Chosen["engine"],
      model: { spec, file: bytes ?? address(file), int8: int8 && { spec: int8, file: address(int8.file) } },
    };
  }

  get scale(): number {
    return this.current?.model.scale ?? 1;
  }

  /** Offer models, and select the one that the address names. */
  offer(models: ListedModel[]): void {
    this.models = models;
    this.select(asked.get("model"));
  }

  /** Select a model, if it is there and no other was asked for. */
  prefer(name: string): void {
    if (!asked.has("model")) this.select(name);
  }

  /** Add a model file of the user's own, and select it. */
  async openFile(file: File): Promise<void> {
    const bytes = new Uint8Array(await file.arrayBuffer());
    try {
      const model = readModel(file.name, bytes);
      this.models = [...this.models.filter(({ name }) => name !== model.name), model];
      this.opened.set(model.name, bytes);
      this.select(model.name);
      this.changed();
    } catch (error) {
      this.fail((error as Error).message);
    }
  }

  private select(name: string | null): void {
    this.choices = choices(this.models);
    const wanted = this.choices.find(({ model }) => model.name === name);
    const fallback = this.preferred("×4") ?? this.choices[0];
    const first = wanted ?? fallback;
    const kinds = [...new Set(this.choices.map(({ model }) => kindOf(model)))].sort(byScale);
    this.kinds.replaceChildren(
      ...kinds.map((kind) => {
        const radio = element("input", { type: "radio", name: `${this.id}-kind`, value: kind });
        radio.checked = first !== undefined && kindOf(first.model) === kind;
        radio.addEventListener("change", () => {
          this.fill(kind, this.preferred(kind));
          this.notify();
        });
        return element("label", {}, radio, element("span", {}, kind));
      }),
    );
    if (first) this.fill(kindOf(first.model), first);
  }

  set disabled(is: boolean) {
    for (const field of this.root.querySelectorAll<HTMLInputElement>("input, select, button")) {
      field.disabled = is;
    }
  }

  private get current(): Choice | undefined {
    return this.choices.find(({ model }) => model.name === this.list.value);
  }

  private preferred(kind: string): Choice | undefined {
    const those = this.choices.filter(({ model }) => kindOf(model) === kind);
    return those.find(({ model }) => model.defaultFor.includes(this.use)) ?? those[0];
  }

  private fill(kind: string, selected: Choice | undefined): void {
    const groups = new Map<string, HTMLOptGroupElement>();
    for (const { model, group, label } of this.choices) {
      if (kindOf(model) !== kind) continue;
      if (!groups.has(group)) groups.set(group, element("optgroup", { label: group }));
      groups.get(group)!.append(element("option", { value: model.name }, label));
    }
    this.list.replaceChildren(...groups.values());
    if (selected) this.list.value = selected.model.name;
    this.describe();
  }

  private describe(): void {
    const found = this.current;
    if (!found) return;
    const { name, parameters, bytes, int8, psnr } = found.model;
    const facts = [name];
    if (parameters) facts.push(`${grouped(parameters)} parameters`);
    facts.push(`${grouped((int8?.bytes ?? bytes) / 1000)} kB`);
    if (psnr) facts.push(`${psnr.db.toFixed(2)} dB on ${psnr.set}`);
    this.about.textContent = facts.join(" · ");
  }

  private notify(): void {
    this.describe();
    this.changed();
  }

  private async lookForGpu(): Promise<void> {
    const gpu = await findGpu();
    const option = this.engine.options[1]!;
    if (gpu) option.textContent = gpu.isSoftware ? "WebGPU, in software" : "WebGPU";
    else {
      option.textContent = isSecureContext ? "WebGPU, not in this browser" : "WebGPU, on https only";
      option.disabled = true;
      if (this.engine.value === "webgpu") this.engine.value = "auto";
    }
  }
}

function byScale(one: string, other: string): number {
  const rank = (kind: string): number => (kind.startsWith("×") ? Number(kind.slice(1)) : 1000);
  return rank(one) - rank(other);
}

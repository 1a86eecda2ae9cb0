/** Scale, model, and what runs it. */
import { type Choice, choices, kindOf, modelsAddress } from "../models/catalog";
import type { ListedModel } from "../models/spec";
import { findGpu } from "../engine/gpu";
import type { EngineName, ModelSource } from "../engine/messages";
import { element, grouped } from "./dom";

export interface Chosen {
  model: ModelSource;
  engine: EngineName | "auto";
}

const asked = new URLSearchParams(location.search);

export class Controls {
  readonly root: HTMLFormElement;
  private readonly kinds: HTMLDivElement;
  private readonly select: HTMLSelectElement;
  private readonly engine: HTMLSelectElement;
  private readonly about: HTMLParagraphElement;
  private choices: Choice[] = [];

  constructor(
    private readonly id: string,
    private readonly use: "images" | "footage",
    private readonly changed: () => void,
  ) {
    this.kinds = element("div", { class: "segments" });
    this.select = element("select", { id: `${id}-model` });
    this.engine = element(
      "select",
      { id: `${id}-engine` },
      element("option", { value: "auto" }, "Automatic"),
      element("option", { value: "webgpu" }, "WebGPU"),
      element("option", { value: "wasm" }, "WebAssembly"),
    );
    this.about = element("p", { class: "about" });
    this.root = element(
      "form",
      { class: "controls", "aria-label": "Model" },
      element(
        "fieldset",
        { class: "field" },
        element("legend", {}, "Scale"),
        this.kinds,
      ),
      element("div", { class: "field grow" }, element("label", { for: `${id}-model` }, "Model"), this.select),
      element("div", { class: "field" }, element("label", { for: `${id}-engine` }, "Runs on"), this.engine),
      this.about,
    );
    this.root.addEventListener("submit", (event) => event.preventDefault());
    this.select.addEventListener("change", () => this.tell());
    this.engine.addEventListener("change", () => this.tell());
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
    return {
      engine: this.engine.value as Chosen["engine"],
      model: { spec, file: address(file), int8: int8 && { spec: int8, file: address(int8.file) } },
    };
  }

  get scale(): number {
    return this.current?.model.scale ?? 1;
  }

  offer(models: ListedModel[]): void {
    this.choices = choices(models);
    const wanted = this.choices.find(({ model }) => model.name === asked.get("model"));
    const fallback = this.preferred("×4") ?? this.choices[0];
    const first = wanted ?? fallback;
    const kinds = [...new Set(this.choices.map(({ model }) => kindOf(model)))].sort(byScale);
    this.kinds.replaceChildren(
      ...kinds.map((kind) => {
        const radio = element("input", { type: "radio", name: `${this.id}-kind`, value: kind });
        radio.checked = first !== undefined && kindOf(first.model) === kind;
        radio.addEventListener("change", () => {
          this.list(kind, this.preferred(kind));
          this.tell();
        });
        return element("label", {}, radio, element("span", {}, kind));
      }),
    );
    if (first) this.list(kindOf(first.model), first);
  }

  set disabled(is: boolean) {
    for (const field of this.root.querySelectorAll("input, select")) {
      (field as HTMLInputElement | HTMLSelectElement).disabled = is;
    }
  }

  private get current(): Choice | undefined {
    return this.choices.find(({ model }) => model.name === this.select.value);
  }

  private preferred(kind: string): Choice | undefined {
    const those = this.choices.filter(({ model }) => kindOf(model) === kind);
    return those.find(({ model }) => model.defaultFor.includes(this.use)) ?? those[0];
  }

  private list(kind: string, selected: Choice | undefined): void {
    const groups = new Map<string, HTMLOptGroupElement>();
    for (const { model, group, label } of this.choices) {
      if (kindOf(model) !== kind) continue;
      if (!groups.has(group)) groups.set(group, element("optgroup", { label: group }));
      groups.get(group)!.append(element("option", { value: model.name }, label));
    }
    this.select.replaceChildren(...groups.values());
    if (selected) this.select.value = selected.model.name;
    this.describe();
  }

  private describe(): void {
    const found = this.current;
    if (!found) return;
    const { name, parameters, bytes, int8, psnr } = found.model;
    const facts = [name, `${grouped(parameters)} parameters`];
    facts.push(`${grouped((int8?.bytes ?? bytes) / 1000)} kB`);
    if (psnr) facts.push(`${psnr.db.toFixed(2)} dB on ${psnr.set}`);
    this.about.textContent = facts.join(" · ");
  }

  private tell(): void {
    this.describe();
    this.changed();
  }

  private async lookForGpu(): Promise<void> {
    const gpu = await findGpu();
    const option = this.engine.options[1]!;
    if (gpu) option.textContent = gpu.isSoftware ? "WebGPU, in software" : "WebGPU";
    else {
      option.textContent = "WebGPU, not in this browser";
      option.disabled = true;
      if (this.engine.value === "webgpu") this.engine.value = "auto";
    }
  }
}

function byScale(one: string, other: string): number {
  const rank = (kind: string): number => (kind.startsWith("×") ? Number(kind.slice(1)) : 1000);
  return rank(one) - rank(other);
}

/** What the server is to make of a file: the options of `framelift upscale`. */
import { element } from "../ui/dom";
import type { ServerModel } from "./api";

type Choice = [value: string, label: string];

const SCALES: Choice[] = [["", "The model's"], ["1.5", "×1.5"], ["2", "×2"], ["3", "×3"], ["4", "×4"]];
const CODECS: Choice[] = [
  ["", "H.264"],
  ["hevc", "HEVC"],
  ["av1", "AV1"],
  ["prores", "ProRes"],
  ["ffv1", "FFV1, lossless"],
];
const VIDEO_ONLY = ["codec", "crf", "start", "end"];

export class Options {
  readonly root: HTMLFormElement;
  private readonly model = select("server-model", [["", "Automatic"]]);
  private readonly scale = select("server-scale", SCALES);
  private readonly codec = select("server-codec", CODECS);
  private readonly crf = element("input", { type: "number", id: "server-crf", min: "0", max: "63", placeholder: "17" });
  private readonly start = time("server-start", "0:00");
  private readonly end = time("server-end", "the end");
  private readonly audio = element("input", { type: "checkbox", id: "server-audio", checked: true });

  private readonly metadata = element("input", { type: "checkbox", id: "server-metadata", checked: true });

  constructor() {
    this.root = element(
      "form",
      { class: "controls options", "aria-label": "Options" },
      field("Scale", this.scale),
      field("Model", this.model, "grow"),
      field("Codec", this.codec),
      field("Quality (CRF)", this.crf),
      field("From", this.start),
      field("To", this.end),
      element(
        "div",
        { class: "checks" },
        element("label", { class: "check", for: this.audio.id }, this.audio, "Keep the sound"),
        element("label", { class: "check", for: this.metadata.id }, this.metadata, "Keep a picture's metadata"),
      ),
    );
    this.root.addEventListener("submit", (event) => event.preventDefault());
  }

  offer(models: ServerModel[]): void {
    const group = (label: string, of: ServerModel[]): HTMLOptGroupElement =>
      element("optgroup", { label }, ...of.map(({ name }) => element("option", { value: name }, name)));
    const scales = [...new Set(models.filter((m) => m.command === "upscale").map((m) => m.scale ?? 0))].sort();
    this.model.replaceChildren(
      element("option", { value: "" }, "Automatic"),
      ...scales.map((scale) =>
        group(scale ? `×${scale}` : "Other", models.filter((m) => m.command === "upscale" && (m.scale ?? 0) === scale)),
      ),
      group("Style", models.filter((m) => m.command === "stylize")),
    );
  }

  /** The options for a file, those alone that are not the default. */
  chosen(isVideo: boolean): Record<string, unknown> {
    const all: Record<string, unknown> = {
      model: this.model.value,
      scale: this.scale.value,
      codec: this.codec.value,
      crf: this.crf.value,
      start: this.start.value.trim(),
      end: this.end.value.trim(),
    };
    const given = Object.entries(all).filter(([name, value]) => value && (isVideo || !VIDEO_ONLY.includes(name)));
    if (isVideo && !this.audio.checked) given.push(["no_audio", true]);
    if (!isVideo && !this.metadata.checked) given.push(["no_metadata", true]);
    return Object.fromEntries(given);
  }
}

function select(id: string, choices: Choice[]): HTMLSelectElement {
  return element("select", { id }, ...choices.map(([value, label]) => element("option", { value }, label)));
}

function time(id: string, hint: string): HTMLInputElement {
  return element("input", { type: "text", id, class: "text", placeholder: hint, autocomplete: "off" });
}

function field(label: string, input: HTMLElement, more = ""): HTMLDivElement {
  return element("div", { class: `field ${more}` }, element("label", { for: input.id }, label), input);
}

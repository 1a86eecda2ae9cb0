/** The page for pictures: choose one, see before and after, download the result. */
import { Cancelled, Engine } from "../engine/client";
import type { Ran } from "../engine/messages";
import type { Rgba } from "../engine/pixels";
import type { ListedModel } from "../models/spec";
import { tried } from "../ui/asked";
import { Compare } from "../ui/compare";
import { Controls } from "../ui/controls";
import { button, element, focusMain, grouped, icon, ICONS, seconds } from "../ui/dom";
import { download } from "../ui/download";
import { Facts, ranOn } from "../ui/facts";
import { intake } from "../ui/intake";
import { Status } from "../ui/status";
import { decode } from "./decode";
import { EXAMPLE_MODEL, hero } from "./hero";
import { canvasOf, Sheet } from "./sheet";

export class PicturePage {
  readonly root = element("section", { class: "view", "aria-label": "Picture" });
  private readonly engine = new Engine();
  private readonly controls = new Controls(
    "picture",
    "images",
    () => void this.run(),
    (text) => this.fail(text),
  );
  private readonly status = new Status(() => this.cancel());
  private readonly compare = new Compare({
    label: "Line between before and after",
    tools: true,
    over: this.status.work,
  });
  private readonly facts = new Facts();
  private readonly saving = button("Download PNG", "primary", () => void this.save());
  private readonly again = button("Another picture", "quiet", () => this.field.open());
  private readonly field = intake({
    title: "Drop a picture here",
    detail: "or click to choose one, or paste it",
    accept: "image/*",
    picture: ICONS.picture,
    take: (file) => void this.open(file),
  });
  private readonly start: HTMLElement;
  private readonly work: HTMLElement;
  private picture: (Rgba & { name: string }) | null = null;
  private runs = 0;

  constructor() {
    this.saving.prepend(icon(ICONS.download));
    this.start = hero(this.field.root, () => void this.openExample());
    this.work = element(
      "div",
      { class: "work", hidden: true },
      element("h1", { class: "unseen" }, "Upscale a picture"),
      this.controls.root,
      this.compare.root,
      element(
        "div",
        { class: "below" },
        this.facts.root,
        element("div", { class: "actions" }, this.again, this.saving),
      ),
    );
    this.root.append(this.start, this.status.root, this.work);
  }

  offer(models: ListedModel[]): void {
    this.controls.offer(models);
    if (this.picture) void this.run();
  }

  fail(text: string): void {
    this.status.fail(text);
  }

  leave(): void {
    // a run goes on
  }

  async open(file: File): Promise<void> {
    if (/\.onnx$/i.test(file.name)) return this.controls.openFile(file);
    this.engine.cancel();
    this.status.clear();
    try {
      this.picture = { ...(await decode(file)), name: file.name };
    } catch (error) {
      return this.fail((error as Error).message);
    }
    if (!this.start.hidden) {
      this.start.hidden = true;
      this.work.hidden = false;
      focusMain(); // what had the focus is hidden
    }
    await this.run();
  }

  private async openExample(): Promise<void> {
    const answer = await fetch(new URL("example.webp", document.baseURI)).catch(() => null);
    if (!answer?.ok) return this.fail("The example could not be loaded.");
    this.controls.prefer(EXAMPLE_MODEL);
    await this.open(new File([await answer.blob()], "example.webp"));
  }

  private async run(): Promise<void> {
    const { picture } = this;
    const { chosen } = this.controls;
    if (!picture || !chosen) return;
    const run = ++this.runs;
    this.engine.cancel();
    this.status.clear();
    this.facts.clear();
    this.saving.disabled = true;
    const { pixels, width, height } = picture;
    const scale = this.controls.scale;
    const sheet = new Sheet(scale * width, scale * height);
    this.compare.show(canvasOf(pixels, width, height), sheet.canvas, scale * width, scale * height);
    this.compare.working = true;
    this.status.begin("Loading the model");
    let ran: Ran | null = null;
    try {
      const done = await this.engine.upscale(
        { kind: "upscale", ...chosen, pixels, width, height, ...tried() },
        {
          engine: (found) => {
            ran = found;
            this.status.progress("Upscaling", 0);
          },
          note: (text) => this.status.note(text),
          tile: (tile) => {
            sheet.put(tile);
            this.status.progress(tile.of > 1 ? `Tile ${tile.done} of ${tile.of}` : "Upscaling", tile.done / tile.of);
          },
        },
      );
      this.compare.working = false;
      this.status.end(`Done in ${seconds(done.seconds)}`);
      this.report(ran!, done, sheet);
      this.saving.disabled = false;
    } catch (error) {
      if (run !== this.runs) return; // another run has begun
      if (error instanceof Cancelled) this.status.end("Cancelled");
      else this.fail((error as Error).message);
    }
  }

  private report(ran: Ran, done: { seconds: number; tiles: number }, sheet: Sheet): void {
    const { width, height } = this.picture!;
    const scale = this.controls.scale;
    const size = (w: number, h: number): string => `${grouped(w)} × ${grouped(h)}`;
    const tiles = done.tiles > 1 ? `, ${done.tiles} tiles` : "";
    this.facts.show([
      ["Size", `${size(width, height)} → ${size(scale * width, scale * height)}`, sheet.isReduced ? "shown smaller here, whole in the PNG" : ""],
      ["Time", seconds(done.seconds) + tiles, `model loaded in ${seconds(ran.loadSeconds)}`],
      ranOn(ran),
    ]);
  }

  private cancel(): void {
    this.engine.cancel();
  }

  private async save(): Promise<void> {
    const run = this.runs;
    this.saving.disabled = true;
    this.status.begin("Writing the PNG", false);
    try {
      const name = this.picture!.name.replace(/\.\w+$/, "") || "picture";
      download(await this.engine.png(), `${name}_x${this.controls.scale}.png`);
      this.status.end("Saved");
    } catch (error) {
      if (!(error instanceof Cancelled)) this.fail((error as Error).message);
    } finally {
      if (run === this.runs) this.saving.disabled = false; // else another run has begun
    }
  }
}

/** The page for video files: plays one through a model, and saves a clip of it. */
import type { ListedModel } from "../models/spec";
import { button, element, focusMain, icon, ICONS } from "../ui/dom";
import { download } from "../ui/download";
import { intake } from "../ui/intake";
import type { ClipSaver } from "./save";
import { Stage } from "./stage";
import { Transport } from "./transport";

/** The model failed. */
class Stopped extends Error {}

export class VideoPage {
  readonly root = element("section", { class: "view", "aria-label": "Video" });
  private readonly stage = new Stage("video", {
    wantsResults: () => false,
    result: (frame) => frame.close(),
    cancelled: () => this.saver?.cancel(),
  });
  private readonly start: HTMLElement;
  private readonly work: HTMLElement;
  private readonly from = seconds("From, in seconds");
  private readonly to = seconds("To, in seconds");
  private readonly saving = button("Save the clip", "primary", () => void this.save());
  private readonly again = button("Another video", "quiet", () => this.field.open());
  private readonly field = intake({
    title: "Drop a video here",
    detail: "or click to choose one",
    accept: "video/*",
    picture: ICONS.video,
    take: (file) => void this.open(file),
  });
  private file: File | null = null;
  private saver: ClipSaver | null = null;

  constructor() {
    const { stage } = this;
    this.saving.prepend(icon(ICONS.download));
    this.start = element(
      "div",
      { class: "welcome" },
      element("h1", {}, "Video, upscaled while it plays"),
      element(
        "p",
        { class: "lead" },
        "The model always takes the newest frame. When you save a clip, every frame is upscaled and the sound is kept.",
      ),
      this.field.root,
    );
    this.work = element(
      "div",
      { class: "work", hidden: true },
      element("h1", { class: "unseen" }, "Upscale a video"),
      stage.controls.root,
      stage.compare.root,
      new Transport(stage.video).root,
      element(
        "div",
        { class: "below" },
        stage.facts.root,
        element(
          "div",
          { class: "actions" },
          this.again,
          element("fieldset", { class: "clip" }, element("legend", { class: "unseen" }, "Clip"), this.from.label, this.to.label, this.saving),
        ),
      ),
    );
    this.root.append(this.start, stage.status.root, this.work);
    stage.video.loop = true;
    stage.video.addEventListener("error", () => this.unreadable());
  }

  offer(models: ListedModel[]): void {
    this.stage.offer(models);
  }

  fail(text: string): void {
    this.stage.status.fail(text);
  }

  leave(): void {
    this.stage.video.pause();
  }

  async open(file: File): Promise<void> {
    const { stage } = this;
    if (/\.onnx$/i.test(file.name)) return stage.controls.openFile(file);
    this.saver?.cancel();
    stage.end();
    stage.status.clear();
    this.file = file;
    URL.revokeObjectURL(stage.video.src);
    stage.video.src = URL.createObjectURL(file);
    const isLoaded = await new Promise<boolean>((resolve) => {
      stage.video.addEventListener("loadeddata", () => resolve(true), { once: true });
      stage.video.addEventListener("error", () => resolve(false), { once: true });
    });
    if (!isLoaded || this.file !== file) return;
    if (!stage.video.videoWidth) return this.unreadable();
    const end = Math.floor(100 * stage.video.duration) / 100;
    this.from.input.value = "0";
    this.to.input.value = String(Math.min(end, 10));
    this.from.input.max = this.to.input.max = String(end);
    this.start.hidden = true;
    this.work.hidden = false;
    focusMain();
    stage.begin();
    await stage.video.play().catch(() => undefined); // browsers may want a click first
  }

  private unreadable(): void {
    const name = this.file?.name ?? "The file";
    this.file = null;
    this.fail(`${name} is no video that this browser can play: use MP4 or WebM, or \`framelift upscale\`.`);
  }

  private async save(): Promise<void> {
    const { stage, file } = this;
    if (!file) return;
    const start = Number(this.from.input.value);
    const end = Number(this.to.input.value);
    if (!(start >= 0 && end > start)) {
      return this.fail("The clip ends before it begins: change From and To.");
    }
    stage.status.clear();
    stage.status.begin("Saving the clip");
    this.busy(true);
    const scale = stage.controls.scale;
    try {
      const { ClipSaver } = await import("./save");
      this.saver = new ClipSaver();
      const begin = performance.now();
      const saved = await this.saver.save({
        file,
        scale,
        start,
        end,
        upscale: async (frame) => {
          const shown = await stage.show(frame, true);
          if (!shown?.result) throw new Stopped();
          return shown.result;
        },
        progress: (share) => {
          const left = ((performance.now() - begin) / 1000) * (1 / share - 1);
          stage.status.progress(`Saving the clip, ${Math.ceil(left)} s left`, share);
        },
      });
      stage.status.end(saved ? "Saved" : "Cancelled");
      if (!saved) return;
      download(saved.blob, `${file.name.replace(/\.\w+$/, "")}_x${scale}.mp4`);
      saved.notes.forEach((note) => stage.status.note(note));
    } catch (error) {
      if (error instanceof Stopped) stage.status.end(""); // the stage has said why
      else this.fail((error as Error).message);
    } finally {
      this.saver = null;
      this.busy(false);
    }
  }

  private busy(is: boolean): void {
    const { stage } = this;
    if (is) stage.video.pause();
    stage.paused = is;
    stage.controls.disabled = is;
    for (const part of [this.saving, this.again, this.from.input, this.to.input]) part.disabled = is;
  }
}

function seconds(label: string): { label: HTMLLabelElement; input: HTMLInputElement } {
  const input = element("input", { type: "number", min: "0", step: "0.01", inputmode: "decimal", "aria-label": label });
  return { label: element("label", {}, label.split(",")[0]!, input), input };
}

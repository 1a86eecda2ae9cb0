/** A video source, its model and what is shown of both: common to files and cameras. */
import type { Ran } from "../engine/messages";
import type { ListedModel } from "../models/spec";
import { Compare } from "../ui/compare";
import { Controls } from "../ui/controls";
import { grouped } from "../ui/dom";
import { Facts, ranOn } from "../ui/facts";
import { Status } from "../ui/status";
import { LiveEngine, type Shown } from "./client";
import { Meter } from "./meter";

const REPORT_MS = 250;

export interface StageWatching {
  /** Before a frame is taken: whether its result is wanted, for a recording. */
  wantsResults(): boolean;
  /** A wanted result, which is to be closed. */
  result(frame: VideoFrame): void;
  cancelled(): void;
}

export class Stage {
  readonly video = document.createElement("video");
  readonly controls: Controls;
  readonly status = new Status(() => this.watching.cancelled());
  readonly compare = new Compare({
    label: "Line between before and after",
    tools: true,
    over: this.status.work,
  });
  readonly facts = new Facts();
  readonly engine: LiveEngine;
  private readonly before = document.createElement("canvas");
  private readonly painter = this.before.getContext("2d", { alpha: false })!;
  private readonly meter = new Meter();
  private after: HTMLCanvasElement | null = null;
  private ran: Ran | null = null;
  private hasNewer = false;
  private isOn = false;
  private isPaused = false;
  private reportedAt = 0;
  private isWarm = false;

  constructor(
    id: string,
    private readonly watching: StageWatching,
  ) {
    const fail = (text: string): void => this.status.fail(text);
    this.controls = new Controls(id, "footage", () => this.restart(), fail);
    this.video.playsInline = true;
    this.engine = new LiveEngine({
      ready: (ran, canvas) => this.ready(ran, canvas),
      note: (text) => this.status.note(text),
      failed: (text) => this.status.fail(text),
    });
  }

  offer(models: ListedModel[]): void {
    this.controls.offer(models);
    if (this.isOn) this.restart();
  }

  /** Begin to upscale what the video element shows. */
  begin(): void {
    this.isOn = true;
    this.meter.reset();
    this.restart();
    this.listen();
  }

  end(): void {
    this.isOn = false;
    this.engine.stop();
  }

  /** While paused, frames are left to who has the engine, such as an export. */
  set paused(is: boolean) {
    this.isPaused = is;
  }

  /** Shows a frame and its result side by side. The frame is closed. */
  async show(frame: VideoFrame, wanted: boolean): Promise<Shown | null> {
    const copy = frame.clone();
    const shown = await this.engine.show(frame, wanted);
    if (shown && this.after) {
      const { displayWidth, displayHeight } = copy;
      if (this.before.width !== displayWidth) this.before.width = displayWidth;
      if (this.before.height !== displayHeight) this.before.height = displayHeight;
      this.painter.drawImage(copy, 0, 0);
      if (!this.before.isConnected || this.after.style.width !== `${shown.width}px`) {
        this.compare.show(this.before, this.after, shown.width, shown.height);
        this.after.style.width = `${shown.width}px`;
      }
      this.compare.working = false;
    }
    copy.close();
    return shown;
  }

  /** Upscale what the video shows now once more, as after a change of the model. */
  refresh(): void {
    if (this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      this.hasNewer = true;
      this.next();
    }
  }

  private restart(): void {
    const { chosen } = this.controls;
    if (!this.isOn || !chosen) return;
    this.status.clear();
    this.status.begin("Loading the model", false);
    this.engine.start(chosen);
  }

  private ready(ran: Ran, canvas: HTMLCanvasElement): void {
    this.ran = ran;
    this.after = canvas;
    this.before.remove();
    this.isWarm = false;
    this.status.end("");
    this.refresh();
  }

  private listen(): void {
    this.video.requestVideoFrameCallback((_, { presentedFrames }) => {
      if (!this.isOn) return;
      this.listen();
      this.meter.presented(presentedFrames);
      this.hasNewer = true;
      this.next();
    });
  }

  /** Takes the newest frame, if there is one and the model is free. */
  private next(): void {
    if (!this.isOn || this.isPaused || !this.hasNewer || !this.engine.isFree) return;
    this.hasNewer = false;
    let frame: VideoFrame;
    try {
      frame = new VideoFrame(this.video);
    } catch {
      return; // the video has no frame yet
    }
    const begin = performance.now();
    void this.show(frame, this.watching.wantsResults()).then((shown) => {
      if (shown) {
        if (this.isWarm) this.meter.done(performance.now() - begin);
        else this.meter.reset(); // the first frame takes longer
        this.isWarm = true;
        if (shown.result) this.watching.result(shown.result);
        this.report(shown);
      }
      setTimeout(() => this.next()); // once the engine is free
    });
  }

  private report(shown: Shown): void {
    if (!this.ran || performance.now() - this.reportedAt < REPORT_MS) return;
    this.reportedAt = performance.now();
    const { meter } = this;
    const ms = (share: number): string => `${Math.round(meter.percentile(share))} ms`;
    const isMeasured = meter.shown > 1;
    const { width, height } = shown;
    const scale = this.controls.scale;
    const size = (w: number, h: number): string => `${grouped(w)} × ${grouped(h)}`;
    this.facts.show([
      ["Size", `${size(width / scale, height / scale)} → ${size(width, height)}`, ""],
      [
        "Frames a second",
        isMeasured ? meter.fps.toFixed(1) : "–",
        `${meter.dropped} of ${meter.frames} frames dropped`,
      ],
      [
        "Latency",
        isMeasured ? ms(0.5) : "–",
        isMeasured ? `95 % within ${ms(0.95)}, 99 % within ${ms(0.99)}` : "",
      ],
      ranOn(this.ran),
    ]);
  }
}

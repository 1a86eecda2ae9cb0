/** The page for cameras: shows one through a model, and records it. */
import type { ListedModel } from "../models/spec";
import { button, element, focusMain, icon, ICONS } from "../ui/dom";
import { download } from "../ui/download";
import type { LiveRecorder } from "./save";
import { Stage } from "./stage";

const SIZE = { width: { ideal: 640 }, height: { ideal: 360 } };

export class CameraPage {
  readonly root = element("section", { class: "view", "aria-label": "Camera" });
  private readonly stage = new Stage("camera", {
    wantsResults: () => this.recorder !== null,
    result: (frame) => (this.recorder ? this.recorder.add(frame) : frame.close()),
    cancelled: () => undefined,
  });
  private readonly start: HTMLElement;
  private readonly work: HTMLElement;
  private readonly sound = element("input", { type: "checkbox", id: "sound", checked: true });
  private readonly turnOn = button("Start the camera", "primary", () => void this.begin());
  private readonly turnOff = button("Stop the camera", "quiet", () => void this.close());
  private readonly record = button("Record", "primary", () => void this.toggle());
  private stream: MediaStream | null = null;
  private recorder: LiveRecorder | null = null;
  private clockwork = 0;

  constructor() {
    const { stage } = this;
    this.start = element(
      "div",
      { class: "welcome" },
      element("h1", {}, "Your camera, sharper"),
      element(
        "p",
        { class: "lead" },
        "The picture goes from the camera to the model and no further. Record it to a file if you like.",
      ),
      element("div", { class: "intake is-quiet" }, icon(ICONS.camera), this.turnOn),
    );
    this.work = element(
      "div",
      { class: "work", hidden: true },
      element("h1", { class: "unseen" }, "Upscale a camera"),
      stage.controls.root,
      stage.compare.root,
      element(
        "div",
        { class: "below" },
        stage.facts.root,
        element(
          "div",
          { class: "actions" },
          element("label", { class: "check" }, this.sound, "Record sound"),
          this.turnOff,
          this.record,
        ),
      ),
    );
    this.root.append(this.start, stage.status.root, this.work);
    stage.video.muted = true;
  }

  offer(models: ListedModel[]): void {
    this.stage.offer(models);
  }

  fail(text: string): void {
    this.stage.status.fail(text);
  }

  leave(): void {
    void this.close();
  }

  private async begin(): Promise<void> {
    const { stage } = this;
    stage.status.clear();
    this.turnOn.disabled = true;
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: SIZE });
    } catch (error) {
      return this.fail(whyNot(error));
    } finally {
      this.turnOn.disabled = false;
    }
    stage.video.srcObject = this.stream;
    await stage.video.play().catch(() => undefined);
    this.start.hidden = true;
    this.work.hidden = false;
    focusMain();
    stage.begin();
  }

  private async close(): Promise<void> {
    if (!this.stream) return;
    if (this.recorder) await this.toggle();
    this.stage.end();
    this.stream.getTracks().forEach((track) => track.stop());
    this.stream = this.stage.video.srcObject = null;
    this.stage.facts.clear();
    this.stage.status.clear();
    this.start.hidden = false;
    this.work.hidden = true;
  }

  /** Begin or end a recording. */
  private async toggle(): Promise<void> {
    const { status } = this.stage;
    if (this.recorder) {
      const recorder = this.recorder;
      this.recorder = null;
      clearInterval(this.clockwork);
      this.record.disabled = true;
      status.begin("Writing the file", false);
      try {
        const blob = await recorder.finish();
        status.end(blob ? "Saved" : "");
        if (blob) download(blob, `camera_x${this.stage.controls.scale}.mp4`);
        else this.fail("No frame came while it recorded.");
        if (recorder.fault) status.note(`The sound is incomplete: ${recorder.fault.message}`);
      } catch (error) {
        this.fail((error as Error).message);
      } finally {
        this.sounding?.stop();
        this.busy(false);
      }
      return;
    }
    status.clear();
    this.record.disabled = true;
    try {
      const { LiveRecorder } = await import("./save");
      this.sounding = this.sound.checked ? await this.microphone() : null;
      this.recorder = new LiveRecorder(this.sounding);
      this.busy(true);
      const begin = performance.now();
      const showTime = (): void =>
        void (this.record.textContent = `Stop and save, ${Math.floor((performance.now() - begin) / 1000)} s`);
      showTime();
      this.clockwork = setInterval(showTime, 500);
    } catch (error) {
      this.fail((error as Error).message);
      this.busy(false);
    }
  }

  private sounding: MediaStreamTrack | null = null;

  private async microphone(): Promise<MediaStreamTrack | null> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      return stream.getAudioTracks()[0] ?? null;
    } catch (error) {
      this.stage.status.note(`Recorded without sound: ${whyNot(error)}`);
      return null;
    }
  }

  private busy(is: boolean): void {
    this.record.disabled = false;
    this.stage.controls.disabled = is;
    this.sound.disabled = is;
    if (!is) this.record.textContent = "Record";
  }
}

function whyNot(error: unknown): string {
  const { name, message } = error as DOMException;
  const words: Record<string, string> = {
    NotAllowedError: "The browser was not allowed to use it: allow it in the address bar.",
    NotFoundError: "None is connected.",
    NotReadableError: "Another program uses it.",
  };
  if (!navigator.mediaDevices) return "Browsers offer it on https and on this machine only.";
  return words[name] ?? message;
}

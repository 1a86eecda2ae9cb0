/** Play, seek, time and sound of a video element. */
import { button, element, icon } from "../ui/dom";

const PLAY = "M8 5.5v13l10.5-6.5z";
const PAUSE = "M8.5 5.5v13M15.5 5.5v13";
const SOUND = "M4 9.5v5h3.5l4.5 4V5.5l-4.5 4zM15.5 9a4 4 0 0 1 0 6M18 6.5a7.5 7.5 0 0 1 0 11";
const SILENT = "M4 9.5v5h3.5l4.5 4V5.5l-4.5 4zM16 9.5l5 5M21 9.5l-5 5";

export class Transport {
  readonly root: HTMLDivElement;
  private readonly play = button("", "round", () => this.toggle());
  private readonly mute = button("", "round", () => {
    this.video.muted = !this.video.muted;
  });
  private readonly seek = element("input", {
    type: "range", min: "0", max: "1", step: "any", value: "0", "aria-label": "Position",
  });
  private readonly time = element("span", { class: "time" });

  constructor(private readonly video: HTMLVideoElement) {
    this.root = element(
      "div",
      { class: "transport", role: "group", "aria-label": "Playback" },
      this.play,
      this.seek,
      this.time,
      this.mute,
    );
    this.seek.addEventListener("input", () => {
      video.currentTime = Number(this.seek.value) * video.duration;
    });
    for (const name of ["play", "pause", "timeupdate", "durationchange", "volumechange", "seeked"]) {
      video.addEventListener(name, () => this.show());
    }
    this.show();
  }

  private toggle(): void {
    if (this.video.paused) void this.video.play();
    else this.video.pause();
  }

  private show(): void {
    const { video } = this;
    const { currentTime, duration } = video;
    this.label(this.play, video.paused ? PLAY : PAUSE, video.paused ? "Play" : "Pause");
    this.label(this.mute, video.muted ? SILENT : SOUND, video.muted ? "Sound on" : "Sound off");
    this.time.textContent = `${clock(currentTime)} / ${clock(duration)}`;
    this.seek.value = String(duration ? currentTime / duration : 0);
    this.seek.style.setProperty("--at", `${100 * Number(this.seek.value)}%`);
    this.seek.setAttribute("aria-valuetext", `${clock(currentTime)} of ${clock(duration)}`);
  }

  private label(made: HTMLButtonElement, path: string, label: string): void {
    if (made.getAttribute("aria-label") === label) return;
    made.replaceChildren(icon(path));
    made.setAttribute("aria-label", label);
    made.title = label;
  }
}

/** "1:05" of 65 seconds. */
export function clock(seconds: number): string {
  const whole = Math.floor(Number.isFinite(seconds) ? seconds : 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

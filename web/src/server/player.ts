/** Before and after of a job: two pictures, or two videos that play together. */
import { Transport } from "../live/transport";
import { Compare } from "../ui/compare";
import { button, element } from "../ui/dom";
import { address, type Job } from "./api";

const MOST_APART_SECONDS = 0.04;

export class Player {
  readonly root: HTMLElement;
  private readonly compare = new Compare({ label: "Line between before and after", tools: true });
  private readonly title = element("h2", { tabindex: "-1" });
  private readonly place = element("div", {});
  private readonly notice = element("p", { class: "notice", hidden: true });
  private videos: HTMLVideoElement[] = [];
  private shown: string | null = null;

  constructor() {
    this.root = element(
      "section",
      { class: "player", hidden: true, "aria-label": "Before and after" },
      element("div", { class: "row" }, this.title, button("Close", "quiet small", () => this.close())),
      this.notice,
      this.compare.root,
      this.place,
    );
  }

  show(job: Job): void {
    const { result } = job;
    if (!result) return;
    this.close();
    this.shown = job.id;
    this.title.textContent = job.name;
    this.root.hidden = false;
    const [before, after] = job.kind === "image" ? pictures(job) : this.pair(job);
    before!.addEventListener("error", () => {
      if (!before!.getAttribute("src")) return; // it was closed
      this.notify(`This browser cannot show ${job.name}: only the result is shown.`);
      this.compare.moveSplit(0);
    });
    after!.addEventListener("error", () => {
      if (after!.getAttribute("src")) this.notify(`This browser cannot show ${result.name}: download it.`);
    });
    this.compare.moveSplit(50);
    this.compare.show(before!, after!, result.width, result.height);
    this.title.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  /** Stops showing that job, or any. */
  close(id?: string): void {
    if (id !== undefined && id !== this.shown) return;
    this.shown = null;
    for (const video of this.videos) {
      video.pause();
      video.removeAttribute("src");
      video.load(); // or the browser goes on loading
    }
    this.videos = [];
    this.place.replaceChildren();
    this.notice.hidden = true;
    this.root.hidden = true;
  }

  private pair(job: Job): HTMLVideoElement[] {
    const before = video(job.input.url);
    const after = video(job.result!.url);
    before.muted = true;
    this.videos = [before, after];
    follow(before, after, secondsOf(job.options["start"] ?? ""));
    this.place.replaceChildren(new Transport(after).root);
    return this.videos;
  }

  private notify(text: string): void {
    this.notice.textContent = text;
    this.notice.hidden = false;
  }
}

function pictures(job: Job): HTMLImageElement[] {
  return [
    element("img", { src: address(job.input.url), alt: `${job.name}, before` }),
    element("img", { src: address(job.result!.url), alt: `${job.name}, after` }),
  ];
}

function video(url: string): HTMLVideoElement {
  const made = element("video", { src: address(url), playsinline: true, preload: "auto" });
  made.loop = true;
  return made;
}

/** `one` does what `leader` does, `offset` seconds later in its file. */
function follow(one: HTMLVideoElement, leader: HTMLVideoElement, offset: number): void {
  const align = (): void => {
    const wanted = leader.currentTime + offset;
    if (one.readyState && Math.abs(one.currentTime - wanted) > MOST_APART_SECONDS) one.currentTime = wanted;
  };
  leader.addEventListener("play", () => void one.play().catch(() => undefined));
  leader.addEventListener("pause", () => {
    one.pause();
    align();
  });
  for (const name of ["seeking", "seeked", "timeupdate"]) leader.addEventListener(name, align);
  one.addEventListener("loadedmetadata", align);
}

/** 65.5 of "1:05.5". */
function secondsOf(text: string): number {
  return text.split(":").reduce((all, part) => 60 * all + (Number(part) || 0), 0);
}

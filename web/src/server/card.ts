/** A file on its way: uploading, waiting, being worked on, done or failed. */
import { button, element, icon, ICONS } from "../ui/dom";
import { address, type Job } from "./api";

export interface CardActions {
  /** Cancels the upload or job, or removes what was made. */
  remove(): void;
  /** Shows before and after. */
  show(job: Job): void;
}

export class Card {
  readonly root: HTMLLIElement;
  private readonly bar = element("progress", { max: "1" });
  private readonly line = element("p", { class: "line", role: "status" });
  private readonly notes = element("div", {});
  private readonly showing: HTMLButtonElement;
  private readonly saving = element("a", { class: "primary", hidden: true }, icon(ICONS.download), "Download");
  private readonly removing: HTMLButtonElement;
  private job: Job | null = null;

  constructor(
    readonly name: string,
    actions: CardActions,
  ) {
    this.showing = button("Before and after", "quiet", () => this.job && actions.show(this.job));
    this.showing.hidden = true;
    this.removing = button("Cancel", "quiet", () => actions.remove());
    this.bar.setAttribute("aria-label", `Progress of ${name}`);
    this.root = element(
      "li",
      { class: "card" },
      element("div", { class: "what" }, element("strong", {}, name), this.line, this.bar, this.notes),
      element("div", { class: "actions" }, this.removing, this.showing, this.saving),
    );
  }

  uploading(share: number, note: string): void {
    this.bar.value = share;
    this.say(`Uploading, ${percent(share)}${note && `, ${note}`}`);
  }

  show(job: Job): void {
    this.job = job;
    const isOver = job.state === "done" || job.state === "failed";
    this.bar.hidden = isOver;
    if (job.progress?.fraction != null) this.bar.value = job.progress.fraction;
    else this.bar.removeAttribute("value");
    this.removing.textContent = isOver ? "Remove" : "Cancel";
    this.removing.setAttribute("aria-label", `${isOver ? "Remove" : "Cancel"} ${this.name}`);
    this.say(job.state === "failed" ? "" : sentence(job));
    this.notes.replaceChildren(...job.notes.map((note) => element("p", { class: "note" }, note)));
    if (job.state === "failed") this.fail(job.error?.message ?? "It failed.");
    if (!job.result) return;
    this.showing.hidden = false;
    this.showing.setAttribute("aria-label", `Before and after of ${this.name}`);
    this.saving.hidden = false;
    this.saving.href = `${address(job.result.url)}?download`;
    this.saving.setAttribute("aria-label", `Download ${job.result.name}`);
  }

  fail(text: string): void {
    this.bar.hidden = true;
    this.say("");
    this.removing.textContent = "Remove";
    this.notes.replaceChildren(element("p", { class: "notice is-error", role: "alert" }, text));
  }

  /** Sets only text that is new, because screen readers read it aloud. */
  private say(text: string): void {
    if (this.line.textContent !== text) this.line.textContent = text;
  }
}

function sentence(job: Job): string {
  if (job.state === "queued") {
    const before = job.position ?? 0;
    return before ? `Waiting, ${before} before it` : "Waiting, next";
  }
  if (job.state === "running") {
    const now = job.progress;
    if (!now?.frames) return "Starting";
    const done = now.fraction === null ? `${now.frames} frames` : percent(now.fraction);
    const left = now.eta_seconds === null ? "" : `, ${duration(now.eta_seconds)} left`;
    return `Upscaling, ${done}${left}, ${now.fps.toFixed(1)} frames a second`;
  }
  const { width, height, bytes } = job.result!;
  const kept = job.expires ? `, kept until ${moment(job.expires)}` : "";
  return `Done: ${width} × ${height}, ${size(bytes)}${kept}`;
}

function percent(share: number): string {
  return `${Math.floor(100 * share)} %`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`;
  const minutes = Math.ceil((seconds % 3600) / 60);
  return `${Math.floor(seconds / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
}

export function size(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function moment(iso: string): string {
  return new Date(iso).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
}

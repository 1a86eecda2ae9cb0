/** What is going on: progress with a way to cancel, notes, and what went wrong. */
import { button, element } from "./dom";

export class Status {
  /** Notes and errors. */
  readonly root = element("div", { class: "notes", "aria-live": "polite" });
  /** Progress, to lie over the picture. */
  readonly work: HTMLDivElement;
  private readonly bar = element("progress", { max: "1", "aria-label": "Progress" });
  private readonly line = element("span", { role: "status" });
  private readonly stop: HTMLButtonElement;

  constructor(cancel: () => void) {
    this.stop = button("Cancel", "quiet small", cancel);
    this.work = element("div", { class: "progress" }, this.line, this.bar, this.stop);
    this.work.classList.add("is-idle");
  }

  begin(text: string, canCancel = true): void {
    this.bar.removeAttribute("value");
    this.line.textContent = text;
    this.stop.hidden = !canCancel;
    this.work.classList.remove("is-idle");
  }

  progress(text: string, share: number): void {
    this.line.textContent = text;
    if (share) this.bar.value = share;
  }

  end(text: string): void {
    this.line.textContent = text;
    this.work.classList.add("is-idle");
  }

  note(text: string): void {
    this.root.append(element("p", { class: "notice" }, text));
  }

  fail(text: string): void {
    this.end("");
    this.root.append(element("p", { class: "notice is-error", role: "alert" }, text));
  }

  clear(): void {
    this.root.replaceChildren();
    this.end("");
  }
}

/** What is going on: progress with a way to cancel, notes, and what went wrong. */
import { button, element } from "./dom";

export class Status {
  readonly root: HTMLDivElement;
  private readonly bar = element("progress", { max: "1", "aria-label": "Progress" });
  private readonly line = element("span", { role: "status" });
  private readonly work: HTMLDivElement;
  private readonly notes = element("div", { class: "notes", "aria-live": "polite" });
  private readonly stop: HTMLButtonElement;

  constructor(cancel: () => void) {
    this.stop = button("Cancel", "quiet small", cancel);
    this.work = element("div", { class: "progress" }, this.bar, this.line, this.stop);
    this.root = element("div", { class: "status" }, this.notes, this.work);
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
    this.notes.append(element("p", { class: "notice" }, text));
  }

  fail(text: string): void {
    this.end("");
    this.notes.append(element("p", { class: "notice is-error", role: "alert" }, text));
  }

  clear(): void {
    this.notes.replaceChildren();
    this.end("");
  }
}

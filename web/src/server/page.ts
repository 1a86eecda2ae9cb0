/** The page for files that the server works on: upload, queue, progress, before and after, download. */
import "./style.css";
import { element, grouped, ICONS } from "../ui/dom";
import { intake } from "../ui/intake";
import { Status } from "../ui/status";
import { ApiError, api, type Job, type Limits, watch } from "./api";
import { Card, duration, size } from "./card";
import { Options } from "./options";
import { Player } from "./player";
import { isCancelled, Upload } from "./upload";

export class ServerPage {
  readonly root = element("section", { class: "view is-server", "aria-label": "Server" });
  private readonly status = new Status(() => undefined);
  private readonly options = new Options();
  private readonly player = new Player();
  private readonly list = element("ul", { class: "cards", "aria-label": "Files" });
  private readonly lead = element("p", { class: "lead" });
  private readonly field = intake({
    title: "Drop a video here",
    detail: "or click to choose one; pictures work, too",
    accept: "video/*,image/*",
    picture: ICONS.video,
    take: (file) => void this.open(file),
  });
  private readonly work = element(
    "div",
    {},
    element("div", { class: "asking" }, this.field.root, this.options.root),
    this.list,
    this.player.root,
  );
  private limits: Limits | null = null;
  private readonly watched = new Map<string, () => void>();

  constructor() {
    this.root.append(
      element("div", { class: "welcome" }, element("h1", {}, "Whole videos, on the server"), this.lead),
      this.status.root,
      this.work,
    );
    void this.begin();
  }

  /** The models of the page itself are not for the server. */
  offer(): void {}

  fail(text: string): void {
    this.status.fail(text);
  }

  leave(): void {
    this.player.close();
  }

  private async begin(): Promise<void> {
    try {
      const [limits, models, jobs] = await Promise.all([api.limits(), api.models(), api.jobs()]);
      this.limits = limits;
      this.options.offer(models);
      this.lead.textContent =
        `Files are uploaded to ${location.host}, upscaled there in turn, and kept for ` +
        `${duration(limits.keep_seconds)}. Up to ${size(limits.bytes)}, ${duration(limits.seconds)} and ` +
        `${grouped(limits.frames)} frames.`;
      this.work.hidden = false;
      for (const job of jobs) this.add(job, new Card(job.name, this.actions(job)));
    } catch (error) {
      this.work.hidden = true;
      if (error instanceof ApiError && error.status === 401) this.askForToken();
      else this.fail((error as Error).message);
    }
  }

  private askForToken(): void {
    const input = element("input", {
      type: "password", id: "server-token", class: "text", autocomplete: "current-password", required: true,
    });
    const form = element(
      "form",
      { class: "token", "aria-label": "Token" },
      element("label", { for: input.id }, "This server asks for its token."),
      input,
      element("button", { type: "submit", class: "primary" }, "Sign in"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.status.clear();
      api.signIn(input.value).then(
        () => {
          form.remove();
          void this.begin();
        },
        (error: Error) => this.fail(error.message),
      );
    });
    this.status.root.after(form);
    input.focus();
  }

  /** Uploads a file and has it worked on. */
  async open(file: File): Promise<void> {
    if (!this.limits) return;
    this.status.clear();
    if (!file.size) return this.fail(`${file.name} is empty.`);
    if (file.size > this.limits.bytes) {
      return this.fail(`${file.name} has ${size(file.size)}, and this server takes ${size(this.limits.bytes)}.`);
    }
    const chosen = this.options.chosen(!file.type.startsWith("image/"));
    const card: Card = new Card(file.name, {
      remove: () => {
        card.root.remove();
        void upload.cancel();
      },
      show: () => undefined,
    });
    const upload = new Upload(file, (share, note) => card.uploading(share, note));
    this.list.prepend(card.root);
    try {
      const job = await api.begin(await upload.run(), chosen);
      const next = new Card(job.name, this.actions(job));
      card.root.replaceWith(next.root);
      this.add(job, next);
    } catch (error) {
      if (!isCancelled(error)) card.fail((error as Error).message);
    }
  }

  private actions(job: Job): ConstructorParameters<typeof Card>[1] {
    return { remove: () => void this.remove(job.id), show: (now) => this.player.show(now) };
  }

  private add(job: Job, card: Card): void {
    card.root.dataset["job"] = job.id;
    card.show(job);
    if (!card.root.isConnected) this.list.append(card.root);
    if (job.state === "done" || job.state === "failed") return;
    const stop = watch(job.id, (now) => (now ? card.show(now) : this.forget(job.id)));
    this.watched.set(job.id, stop);
  }

  private async remove(id: string): Promise<void> {
    try {
      await api.remove(id);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) return this.fail((error as Error).message);
    }
    this.forget(id);
  }

  private forget(id: string): void {
    this.watched.get(id)?.();
    this.watched.delete(id);
    this.player.close(id);
    this.list.querySelector(`[data-job="${id}"]`)?.remove();
  }
}

/** The page's side of the live worker: one frame at a time is under way. */
import type { Chosen } from "../ui/controls";
import type { Ran } from "../engine/messages";
import { tried } from "../ui/asked";
import type { LiveReply, LiveRequest } from "./messages";

export interface LiveWatching {
  /** A model is ready; results go to this new canvas. */
  ready(ran: Ran, canvas: HTMLCanvasElement): void;
  note(text: string): void;
  failed(text: string): void;
}

export class LiveEngine {
  private worker: Worker | null = null;
  private waiting: ((shown: Shown | null) => void) | null = null;
  private isReady = false;
  private turn: Promise<unknown> = Promise.resolve();
  private queued = 0;

  constructor(private readonly watching: LiveWatching) {}

  /** Whether a frame would be taken now. */
  get isFree(): boolean {
    return this.isReady && !this.queued;
  }

  start({ model, engine }: Chosen): void {
    this.isReady = false;
    this.settle(null);
    this.worker ??= this.makeWorker();
    this.post({ kind: "start", model, engine, ...tried() });
  }

  /**
   * Upscales and shows a frame after those before it, and closes it. Null if that was not done,
   * since the model was changed or stopped meanwhile.
   */
  show(frame: VideoFrame, wanted = false): Promise<Shown | null> {
    this.queued += 1;
    const shown = this.turn.then(() => this.send(frame, wanted));
    this.turn = shown.finally(() => (this.queued -= 1));
    return shown;
  }

  stop(): void {
    this.worker?.terminate();
    this.worker = null;
    this.isReady = false;
    this.settle(null);
  }

  private send(frame: VideoFrame, wanted: boolean): Promise<Shown | null> {
    if (!this.isReady) {
      frame.close();
      return Promise.resolve(null);
    }
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.post({ kind: "frame", frame, wanted }, [frame]);
    });
  }

  private post(request: LiveRequest, transfer: Transferable[] = []): void {
    this.worker!.postMessage(request, transfer);
  }

  private settle(shown: Shown | null): void {
    const { waiting } = this;
    this.waiting = null;
    waiting?.(shown);
  }

  private makeWorker(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<LiveReply>) => this.take(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.fail(event.message || "The model's worker could not be started");
    };
    return worker;
  }

  private take(reply: LiveReply): void {
    if (reply.kind === "engine") {
      const canvas = document.createElement("canvas");
      const offscreen = canvas.transferControlToOffscreen();
      this.post({ kind: "canvas", canvas: offscreen }, [offscreen]);
      this.isReady = true;
      this.watching.ready(reply.ran, canvas);
      this.settle(null);
    } else if (reply.kind === "shown") this.settle(reply);
    else if (reply.kind === "note") this.watching.note(reply.text);
    else this.fail(reply.text);
  }

  private fail(text: string): void {
    this.stop();
    this.watching.failed(text);
  }
}

/** A result that is on the canvas, its pixels, and itself if it was wanted. */
export interface Shown {
  width: number;
  height: number;
  result: VideoFrame | null;
}

/** The page's side of the worker. */
import type { Ran, Reply, Request, UpscaleRequest } from "./messages";

export type Tile = Extract<Reply, { kind: "tile" }>;

export interface Watching {
  engine(ran: Ran): void;
  note(text: string): void;
  tile(tile: Tile): void;
}

/** The work was cancelled. */
export class Cancelled extends Error {}

export class Engine {
  private worker: Worker | null = null;
  private waiting: { reply: (reply: Reply) => void; fail: (error: Error) => void } | null = null;

  /** Upscales a picture. The time is without that of loading the model. */
  upscale(request: UpscaleRequest, watching: Watching): Promise<{ seconds: number; tiles: number }> {
    return this.ask(request, (reply) => {
      if (reply.kind === "engine") watching.engine(reply.ran);
      if (reply.kind === "note") watching.note(reply.text);
      if (reply.kind === "tile") watching.tile(reply);
      return reply.kind === "done" ? reply : undefined;
    });
  }

  /** The last result as a PNG. */
  png(): Promise<Blob> {
    return this.ask({ kind: "png" }, (reply) => (reply.kind === "png" ? reply.blob : undefined));
  }

  /** Stops at once: the worker ends, and a new one starts with the next request. */
  cancel(): void {
    const { waiting } = this;
    this.worker?.terminate();
    this.worker = this.waiting = null;
    waiting?.fail(new Cancelled());
  }

  private ask<T>(request: Request, take: (reply: Reply) => T | undefined): Promise<T> {
    if (this.waiting) this.cancel();
    const worker = (this.worker ??= this.start());
    return new Promise<T>((resolve, reject) => {
      const fail = (error: Error): void => {
        this.waiting = null;
        reject(error);
      };
      const reply = (reply: Reply): void => {
        if (reply.kind === "failed") return fail(new Error(reply.text));
        const taken = take(reply);
        if (taken === undefined) return;
        this.waiting = null;
        resolve(taken);
      };
      this.waiting = { reply, fail };
      worker.postMessage(request);
    });
  }

  private start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.waiting?.reply(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const { waiting } = this;
      this.worker = this.waiting = null;
      waiting?.fail(new Error(event.message || "The model's worker could not be started"));
    };
    return worker;
  }
}

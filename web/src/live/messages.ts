/** What a page for video and its worker send each other. */
import type { EngineName, ModelSource, Ran } from "../engine/messages";

export type LiveRequest =
  | {
      kind: "start";
      model: ModelSource;
      engine: EngineName | "auto";
      threads?: number;
    }
  /** Where results are shown; a new one after each `start`. */
  | { kind: "canvas"; canvas: OffscreenCanvas }
  /** `wanted`: the result is also returned, for a recording. */
  | { kind: "frame"; frame: VideoFrame; wanted: boolean };

export type LiveReply =
  | { kind: "engine"; ran: Ran }
  | { kind: "note"; text: string }
  | { kind: "shown"; width: number; height: number; result: VideoFrame | null }
  | { kind: "failed"; text: string };

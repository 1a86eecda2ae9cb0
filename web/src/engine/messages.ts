/** What the page and its worker send each other. */
import type { ModelSpec } from "../models/spec";

export type EngineName = "webgpu" | "wasm";

/** A model to run: `int8` is its form for processors, where there is one. */
export interface ModelSource {
  spec: ModelSpec;
  /** Address of the file, or its bytes. */
  file: string | Uint8Array;
  int8: { spec: ModelSpec; file: string } | null;
}

/** What really runs a model. */
export interface Ran {
  engine: EngineName;
  /** The GPU in words, or the number of threads. */
  device: string;
  /** What it computes in: "float32", "float16" or "int8". */
  precision: string;
  /** How many of the network's nodes run on the GPU, and how many there are. */
  onGpu: number;
  nodes: number;
  loadSeconds: number;
}

export interface UpscaleRequest {
  kind: "upscale";
  model: ModelSource;
  engine: EngineName | "auto";
  /** RGBA, as `ImageData` holds it. */
  pixels: Uint8ClampedArray<ArrayBuffer>;
  width: number;
  height: number;
  /** Largest side of a tile; without, memory decides. */
  tile?: number;
  threads?: number;
}

export type Request = UpscaleRequest | { kind: "png" };

export type Reply =
  | { kind: "engine"; ran: Ran }
  | { kind: "note"; text: string }
  | {
      kind: "tile";
      x: number;
      y: number;
      width: number;
      height: number;
      /** RGBA. */
      pixels: Uint8ClampedArray<ArrayBuffer>;
      done: number;
      of: number;
    }
  | { kind: "done"; seconds: number; tiles: number }
  | { kind: "png"; blob: Blob }
  | { kind: "failed"; text: string };

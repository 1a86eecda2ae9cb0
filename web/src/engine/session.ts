/** A model in ONNX Runtime, on the GPU or on the processor. ONNX Runtime is loaded here, once. */
import type * as Ort from "onnxruntime-web";
import type { ModelSpec } from "../models/spec";
import { hasHalf, widen } from "../models/widen";
import { findGpu, makeDevice } from "./gpu";
import type { EngineName, ModelSource, Ran } from "./messages";
import { placements } from "./placements";

type OrtModule = typeof Ort;

/** The most memory that the values of one run may take, and of one frame that must stay whole. */
const BUDGET = 256 << 20;
const WHOLE_BUDGET = 1024 << 20;
/** With more threads than this the shipped networks gain nothing. */
const MOST_THREADS = 8;

export interface Session {
  spec: ModelSpec;
  ran: Ran;
  /** The most input pixels that are run at once. */
  maxPixels: number;
  /** uint8 H×W×3 BGR in and out. Not of sessions that were opened for frames on the GPU. */
  run(frame: Uint8Array, height: number, width: number): Promise<Uint8Array>;
  /** Of sessions opened for frames on the GPU: the same from buffer to buffer. */
  gpu: GpuRun | null;
  release(): Promise<void>;
}

export interface GpuRun {
  device: GPUDevice;
  run(frame: GPUBuffer, height: number, width: number): Promise<GpuResult>;
}

export interface GpuResult {
  buffer: GPUBuffer;
  data(): Promise<Uint8Array>;
  dispose(): void;
}

export interface SessionOptions {
  threads?: number | undefined;
  /** Whole frames, one after the other, which stay on the GPU where that computes. */
  live?: boolean;
}

export async function openSession(
  model: ModelSource,
  engine: EngineName,
  options: SessionOptions = {},
): Promise<Session> {
  const begin = performance.now();
  const open = engine === "webgpu" ? onGpu : onProcessor;
  const opened = await open(model, options);
  opened.ran.loadSeconds = (performance.now() - begin) / 1000;
  return opened;
}

/** Where ONNX Runtime lies: beside the page, not beside the scripts that Vite makes. */
function runtimeAddress(): URL {
  return new URL(/* @vite-ignore */ "../ort/", import.meta.url);
}

async function load(name: string): Promise<OrtModule> {
  const address = runtimeAddress();
  const ort = (await import(/* @vite-ignore */ new URL(name, address).href)) as OrtModule;
  ort.env.wasm.wasmPaths = address.href;
  return ort;
}

async function bytesOf(file: string | Uint8Array): Promise<Uint8Array> {
  if (typeof file !== "string") return file;
  const answer = await fetch(file).catch(() => null);
  if (!answer?.ok) {
    throw new Error(`The model could not be loaded: ${answer ? answer.status : "no connection"}`);
  }
  return new Uint8Array(await answer.arrayBuffer());
}

async function onGpu({ spec, file }: ModelSource, { live }: SessionOptions): Promise<Session> {
  if (spec.precision === "int8") {
    throw new Error(`${spec.name} is an int8 model, which runs on WebAssembly: choose that`);
  }
  const gpu = await findGpu();
  if (!gpu) throw new Error("This browser offers no GPU: choose WebAssembly");
  const ort = await load("ort.webgpu.min.mjs");
  ort.env.wasm.numThreads = 1; // the GPU computes
  let bytes = await bytesOf(file);
  const isHalf = hasHalf(bytes);
  if (isHalf && !gpu.hasHalf) bytes = widen(bytes);
  const device = await makeDevice(gpu);
  const provider = { name: "webgpu", device } as Ort.InferenceSession.ExecutionProviderConfig;
  const { session, nodes, onGpu } = await create(ort, bytes, provider, live);
  const wider = isHalf && !gpu.hasHalf ? 2 : 1;
  const budget = Math.min(
    live ? WHOLE_BUDGET : BUDGET,
    device.limits.maxStorageBufferBindingSize,
  );
  const precision = isHalf && gpu.hasHalf ? "float16" : "float32";
  return {
    spec,
    ran: { engine: "webgpu", device: gpu.name, precision, nodes, onGpu, loadSeconds: 0 },
    maxPixels: Math.floor(budget / (wider * spec.activationBytes)),
    run: runner(ort, session, spec),
    gpu: live ? { device, run: gpuRunner(ort, session) } : null,
    release: async () => {
      await session.release();
      device.destroy();
    },
  };
}

async function onProcessor(
  model: ModelSource,
  { threads: wanted, live }: SessionOptions,
): Promise<Session> {
  const { spec, file } = model.int8 ?? model;
  const ort = await load("ort.wasm.min.mjs");
  const most = Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1);
  const threads = self.crossOriginIsolated ? (wanted ?? most) : 1;
  ort.env.wasm.numThreads = threads;
  let bytes = await bytesOf(file);
  const isHalf = hasHalf(bytes);
  if (isHalf) bytes = widen(bytes); // as which a processor computes it anyway
  const { session, nodes } = await create(ort, bytes, "wasm");
  const precision = spec.precision === "int8" ? "int8" : "float32";
  const device = threads === 1 ? "1 thread" : `${threads} threads`;
  return {
    spec,
    ran: { engine: "wasm", device, precision, nodes, onGpu: 0, loadSeconds: 0 },
    maxPixels: Math.floor(
      (live ? WHOLE_BUDGET : BUDGET) / ((isHalf ? 2 : 1) * spec.activationBytes),
    ),
    run: runner(ort, session, spec),
    gpu: null,
    release: () => session.release(),
  };
}

async function create(
  ort: OrtModule,
  bytes: Uint8Array,
  provider: Ort.InferenceSession.ExecutionProviderConfig,
  keepOnGpu = false,
): Promise<{ session: Ort.InferenceSession; nodes: number; onGpu: number }> {
  const listening = placements();
  try {
    const session = await ort.InferenceSession.create(bytes, {
      executionProviders: [provider],
      logSeverityLevel: 0,
      ...(keepOnGpu ? { preferredOutputLocation: "gpu-buffer" } : {}),
    });
    return { session, ...listening.counts() };
  } finally {
    listening.stop();
  }
}

function runner(ort: OrtModule, session: Ort.InferenceSession, spec: ModelSpec): Session["run"] {
  return async (frame, height, width) => {
    const frames = new ort.Tensor("uint8", frame, [1, height, width, 3]);
    const { upscaled } = await session.run({ frames });
    const data = upscaled?.data;
    if (!(data instanceof Uint8Array) || data.length !== spec.scale ** 2 * frame.length) {
      throw new Error(`${spec.name} gave something else than a picture`);
    }
    return data;
  };
}

function gpuRunner(ort: OrtModule, session: Ort.InferenceSession): GpuRun["run"] {
  return async (frame, height, width) => {
    const dims = [1, height, width, 3];
    const frames = ort.Tensor.fromGpuBuffer(frame, { dataType: "uint8", dims });
    const { upscaled } = await session.run({ frames });
    if (!upscaled) throw new Error("The model gave nothing");
    return {
      buffer: upscaled.gpuBuffer as GPUBuffer,
      data: async () => (await upscaled.getData()) as Uint8Array,
      dispose: () => upscaled.dispose(),
    };
  };
}

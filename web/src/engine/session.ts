/** A model in ONNX Runtime, on the GPU or on the processor. ONNX Runtime is loaded here, once. */
import type * as Ort from "onnxruntime-web";
import type { ModelSpec } from "../models/spec";
import { hasHalf, widen } from "../models/widen";
import { findGpu, makeDevice } from "./gpu";
import type { EngineName, ModelSource, Ran } from "./messages";
import { placements } from "./placements";

type OrtModule = typeof Ort;

/** The most memory that the values of one run may take. */
const BUDGET = 256 << 20;
/** With more threads than this the shipped networks gain nothing. */
const MOST_THREADS = 8;

export interface Session {
  spec: ModelSpec;
  ran: Ran;
  /** The most input pixels that are run at once. */
  maxPixels: number;
  /** uint8 H×W×3 BGR in and out. */
  run(frame: Uint8Array, height: number, width: number): Promise<Uint8Array>;
  release(): Promise<void>;
}

export async function openSession(
  model: ModelSource,
  engine: EngineName,
  threads?: number,
): Promise<Session> {
  const begin = performance.now();
  const opened = engine === "webgpu" ? await onGpu(model) : await onProcessor(model, threads);
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

async function onGpu({ spec, file }: ModelSource): Promise<Session> {
  const gpu = await findGpu();
  if (!gpu) throw new Error("This browser offers no GPU: choose WebAssembly");
  const ort = await load("ort.webgpu.min.mjs");
  ort.env.wasm.numThreads = 1; // the GPU computes
  let bytes = await bytesOf(file);
  const isHalf = hasHalf(bytes);
  if (isHalf && !gpu.hasHalf) bytes = widen(bytes);
  const device = await makeDevice(gpu);
  const provider = { name: "webgpu", device } as Ort.InferenceSession.ExecutionProviderConfig;
  const { session, nodes, onGpu } = await create(ort, bytes, provider);
  const wider = isHalf && !gpu.hasHalf ? 2 : 1;
  const budget = Math.min(BUDGET, device.limits.maxStorageBufferBindingSize);
  const precision = isHalf && gpu.hasHalf ? "float16" : "float32";
  return {
    spec,
    ran: { engine: "webgpu", device: gpu.name, precision, nodes, onGpu, loadSeconds: 0 },
    maxPixels: Math.floor(budget / (wider * spec.activationBytes)),
    run: runner(ort, session, spec),
    release: async () => {
      await session.release();
      device.destroy();
    },
  };
}

async function onProcessor(model: ModelSource, wanted?: number): Promise<Session> {
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
    maxPixels: Math.floor(BUDGET / ((isHalf ? 2 : 1) * spec.activationBytes)),
    run: runner(ort, session, spec),
    release: () => session.release(),
  };
}

async function create(
  ort: OrtModule,
  bytes: Uint8Array,
  provider: Ort.InferenceSession.ExecutionProviderConfig,
): Promise<{ session: Ort.InferenceSession; nodes: number; onGpu: number }> {
  const listening = placements();
  try {
    const session = await ort.InferenceSession.create(bytes, {
      executionProviders: [provider],
      logSeverityLevel: 0,
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

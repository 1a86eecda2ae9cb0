/** The worker that runs models, so that the page stays responsive. The page ends it to cancel. */
import type { EngineName, ModelSource, Reply, Request, UpscaleRequest } from "./messages";
import { bestEngine } from "./gpu";
import { openSession, type Session } from "./session";
import { type Result, upscale, WrongResult } from "./upscale";

let open: { key: string; session: Session } | null = null;
let result: Result | null = null;
let turn: Promise<void> = Promise.resolve();
const untrusted = new Set<EngineName>();

function post(reply: Reply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer });
}

self.onmessage = ({ data }: MessageEvent<Request>): void => {
  turn = turn
    .then(() => (data.kind === "png" ? sendPng() : run(data)))
    .catch((error: unknown) => post({ kind: "failed", text: words(error) }));
};

async function sendPng(): Promise<void> {
  if (result) post({ kind: "png", blob: await result.png() });
}

async function run(request: UpscaleRequest): Promise<void> {
  const isAutomatic = request.engine === "auto";
  const engine = isAutomatic ? await best(request.model) : request.engine as EngineName;
  try {
    await runOn(engine, request);
  } catch (error) {
    const isWrong = error instanceof WrongResult;
    if (engine === "wasm") {
      throw isWrong ? new Error(`The result ${error.message}: try another model`) : error;
    }
    if (!isWrong && !isAutomatic) throw error;
    untrusted.add("webgpu");
    const why = isWrong ? `its result ${error.message}` : `it failed (${words(error)})`;
    post({ kind: "note", text: `WebGPU is not used in this browser: ${why}. WebAssembly is.` });
    await runOn("wasm", request);
  }
}

async function best(model: ModelSource): Promise<EngineName> {
  return untrusted.has("webgpu") ? "wasm" : bestEngine(model);
}

async function runOn(engine: EngineName, request: UpscaleRequest): Promise<void> {
  result = null;
  const session = await sessionFor(request.model, engine, request.threads);
  post({ kind: "engine", ran: session.ran });
  const begin = performance.now();
  let tiles = 0;
  const { pixels, width, height, tile } = request;
  const count = (reply: Reply, transfer?: Transferable[]): void => {
    tiles += 1;
    post(reply, transfer);
  };
  try {
    result = await upscale(session, { pixels, width, height }, count, tile);
  } catch (error) {
    open = null; // a GPU that was lost stays lost: the next run opens it again
    throw error;
  }
  post({ kind: "done", seconds: (performance.now() - begin) / 1000, tiles });
}

async function sessionFor(
  model: ModelSource,
  engine: EngineName,
  threads?: number,
): Promise<Session> {
  const isFile = typeof model.file !== "string"; // which may be another one of the same name
  const key = JSON.stringify([engine, threads ?? 0, isFile ? model.spec.name : model.file]);
  if (isFile || open?.key !== key) {
    const before = open;
    open = null;
    await before?.session.release();
    open = { key, session: await openSession(model, engine, { threads }) };
  }
  return open.session;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

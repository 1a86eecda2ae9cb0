/** The worker that upscales video frames one after the other, and shows them. */
import { bestEngine } from "../engine/gpu";
import { fault } from "../engine/judge";
import type { EngineName } from "../engine/messages";
import { openSession, type Session } from "../engine/session";
import { GpuScreen } from "./gpu_screen";
import type { LiveReply, LiveRequest } from "./messages";
import { CanvasScreen, filled, FrameReader, type Screen, wholeOf } from "./screen";

let asked: Extract<LiveRequest, { kind: "start" }> | null = null;
let session: Session | null = null;
let screen: Screen | null = null;
let isJudged = false;
let turn: Promise<void> = Promise.resolve();

function post(reply: LiveReply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer });
}

self.onmessage = ({ data }: MessageEvent<LiveRequest>): void => {
  turn = turn
    .then(() => handle(data))
    .catch((error: unknown) => {
      if (data.kind === "frame") data.frame.close();
      post({ kind: "failed", text: words(error) });
    });
};

async function handle(request: LiveRequest): Promise<void> {
  if (request.kind === "start") {
    asked = request;
    await start(request.engine === "auto" ? await bestEngine(request.model) : request.engine);
  } else if (request.kind === "canvas") {
    screen = session!.gpu
      ? new GpuScreen(session!, session!.gpu, request.canvas)
      : new CanvasScreen(session!, request.canvas);
  } else await show(request.frame, request.wanted);
}

async function start(engine: EngineName): Promise<void> {
  screen = null;
  isJudged = false;
  await session?.release();
  session = null;
  try {
    session = await openSession(asked!.model, engine, { threads: asked!.threads, live: true });
  } catch (error) {
    if (engine === "wasm" || asked!.engine !== "auto") throw error;
    post({ kind: "note", text: `WebGPU is not used: it failed (${words(error)}). WebAssembly is.` });
    return start("wasm");
  }
  post({ kind: "engine", ran: session.ran });
}

async function show(frame: VideoFrame, wanted: boolean): Promise<void> {
  if (!session || !screen) return frame.close(); // a frame of before the model was changed
  const { scale } = session.spec;
  const { displayWidth, displayHeight } = frame;
  if (displayWidth * displayHeight > session.maxPixels) {
    const size = `${displayWidth} × ${displayHeight}`;
    throw new Error(
      `${size} is more than this ${session.gpu ? "GPU" : "processor"} can take at once with this ` +
        "model: choose a smaller model",
    );
  }
  if (!isJudged && !(await isSound(frame))) {
    frame.close();
    return;
  }
  const result = await screen.show(frame, wanted);
  frame.close();
  const [width, height] = [scale * displayWidth, scale * displayHeight];
  post({ kind: "shown", width, height, result }, result ? [result] : []);
}

/** Looks at the first result; if it has nothing of its input, WebAssembly takes over. */
async function isSound(frame: VideoFrame): Promise<boolean> {
  const { spec, ran } = session!;
  const size = filled(frame, spec);
  const input = wholeOf(new FrameReader().read(frame), size);
  const output = await screen!.compute(frame);
  const wrong = fault(input, output, size.width, size.height, spec.scale, spec.task);
  isJudged = true;
  if (!wrong) return true;
  if (ran.engine === "wasm") throw new Error(`The result ${wrong}: try another model`);
  post({
    kind: "note",
    text: `WebGPU is not used in this browser: its result ${wrong}. WebAssembly is.`,
  });
  await start("wasm");
  return false;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

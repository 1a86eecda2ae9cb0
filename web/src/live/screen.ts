/** Where upscaled frames are shown. */
import type { Session } from "../engine/session";
import { cutTile, isGrey, makeGrey, partOf, type Rgba } from "../engine/pixels";
import type { ModelSpec } from "../models/spec";

export interface Screen {
  /** Upscales and shows a frame, and returns the result if it is wanted. */
  show(frame: VideoFrame, wanted: boolean): Promise<VideoFrame | null>;
  /** The result's bytes, uint8 BGR of the filled size, without showing them. */
  compute(frame: VideoFrame): Promise<Uint8Array>;
}

/** The size that the model is given: at least its smallest, and a multiple of what it takes. */
export function filled(
  { displayWidth, displayHeight }: VideoFrame,
  { sizeMultiple, minimumSide }: ModelSpec,
): { width: number; height: number } {
  const fill = (side: number): number =>
    Math.ceil(Math.max(side, minimumSide) / sizeMultiple) * sizeMultiple;
  return { width: fill(displayWidth), height: fill(displayHeight) };
}

/** Reads video frames into RGBA, upright and in the colours that are shown. */
export class FrameReader {
  private readonly canvas = new OffscreenCanvas(1, 1);
  private readonly context = this.canvas.getContext("2d", { willReadFrequently: true })!;

  read(frame: VideoFrame): Rgba {
    const { displayWidth: width, displayHeight: height } = frame;
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.context.drawImage(frame, 0, 0);
    return { pixels: this.context.getImageData(0, 0, width, height).data, width, height };
  }
}

/** BGR of a whole frame, filled up to what the model takes. */
export function wholeOf(picture: Rgba, size: { width: number; height: number }): Uint8Array {
  const from = { start: 0, keepStart: 0, keepStop: 0 };
  return cutTile(picture, from, from, size.height, size.width);
}

/** Frames through the processor. */
export class CanvasScreen implements Screen {
  private readonly context: OffscreenCanvasRenderingContext2D;
  private readonly reader = new FrameReader();

  constructor(
    private readonly session: Session,
    private readonly canvas: OffscreenCanvas,
  ) {
    this.context = canvas.getContext("2d", { alpha: false })!;
  }

  async show(frame: VideoFrame, wanted: boolean): Promise<VideoFrame | null> {
    const { scale } = this.session.spec;
    const stride = scale * filled(frame, this.session.spec).width;
    const big = await this.compute(frame);
    const width = scale * frame.displayWidth;
    const height = scale * frame.displayHeight;
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    const pixels = partOf(big, stride, 0, 0, width, height);
    this.context.putImageData(new ImageData(pixels, width, height), 0, 0);
    if (!wanted) return null;
    const { timestamp, duration } = frame;
    return new VideoFrame(this.canvas, duration === null ? { timestamp } : { timestamp, duration });
  }

  async compute(frame: VideoFrame): Promise<Uint8Array> {
    const { spec } = this.session;
    const size = filled(frame, spec);
    const picture = this.reader.read(frame);
    const big = await this.session.run(wholeOf(picture, size), size.height, size.width);
    if (spec.task === "super-resolution" && isGrey(picture.pixels)) makeGrey(big);
    return big;
  }
}

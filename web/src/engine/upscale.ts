/** Runs a picture through a session tile by tile, and keeps the result for the PNG. */
import { PngWriter } from "../picture/png";
import { enlarge } from "./cubic";
import { fault } from "./judge";
import type { Reply } from "./messages";
import { cutTile, isGrey, makeGrey, partOf, type Rgba } from "./pixels";
import type { Session } from "./session";
import { planTiles, type Span } from "./tiling";

/** Results of more bytes are compressed as they come; smaller ones when the PNG is asked for. */
const KEPT = 256 << 20;

/** The first result has nothing of its input. */
export class WrongResult extends Error {}

/** A picture's result: rows of RGB or RGBA, or the PNG that is being made of them. */
export class Result {
  private rows: Uint8Array[] = [];
  private readonly writer: PngWriter | null;

  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly channels: 3 | 4,
  ) {
    const isLarge = width * height * channels > KEPT;
    this.writer = isLarge ? new PngWriter(width, height, channels) : null;
  }

  async add(rows: Uint8Array): Promise<void> {
    if (this.writer) await this.writer.add(rows);
    else this.rows.push(rows);
  }

  private made: Promise<Blob> | null = null;

  png(): Promise<Blob> {
    this.made ??= this.makePng();
    return this.made;
  }

  private async makePng(): Promise<Blob> {
    if (this.writer) return this.writer.finish();
    const writer = new PngWriter(this.width, this.height, this.channels);
    for (const rows of this.rows) await writer.add(rows);
    this.rows = [];
    return writer.finish();
  }
}

export async function upscale(
  session: Session,
  picture: Rgba,
  post: (reply: Reply, transfer?: Transferable[]) => void,
  side?: number,
): Promise<Result> {
  const { spec } = session;
  const { scale, sizeMultiple, minimumSide } = spec;
  const fill = (size: number): number =>
    Math.ceil(Math.max(size, minimumSide) / sizeMultiple) * sizeMultiple;
  const plan = planTiles(
    fill(picture.height),
    fill(picture.width),
    spec,
    session.maxPixels,
    side,
  );
  const hasAlpha = isTransparent(picture.pixels);
  const channels = hasAlpha ? 4 : 3;
  const staysGrey = spec.task === "super-resolution" && isGrey(picture.pixels);
  const result = new Result(picture.width * scale, picture.height * scale, channels);
  const of = plan.rows.length * plan.columns.length;
  let done = 0;
  for (const row of plan.rows) {
    const band = within(row, picture.height);
    const bandHeight = scale * (band.keepStop - band.keepStart);
    const rows = new Uint8Array(channels * scale * picture.width * bandHeight);
    for (const column of plan.columns) {
      const span = within(column, picture.width);
      const tile = cutTile(picture, row, column, plan.height, plan.width);
      const big = await session.run(tile, plan.height, plan.width);
      if (!done) {
        const wrong = fault(tile, big, plan.width, plan.height, scale, spec.task);
        if (wrong) throw new WrongResult(wrong);
      }
      if (staysGrey) makeGrey(big);
      const x = scale * span.keepStart;
      const y = scale * band.keepStart;
      const width = scale * (span.keepStop - span.keepStart);
      const pixels = partOf(
        big,
        scale * plan.width,
        x - scale * span.start,
        y - scale * band.start,
        width,
        bandHeight,
      );
      if (hasAlpha) addAlpha(pixels, picture, scale, { left: x, top: y, width, height: bandHeight });
      place(pixels, width, bandHeight, rows, x, scale * picture.width, channels);
      done += 1;
      post({ kind: "tile", x, y, width, height: bandHeight, pixels, done, of }, [pixels.buffer]);
    }
    await result.add(rows);
  }
  return result;
}

/** The span without what was filled in beyond the picture. */
function within(span: Span, size: number): Span {
  return { ...span, keepStop: Math.min(span.keepStop, size) };
}

function isTransparent(pixels: Uint8ClampedArray): boolean {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true;
  return false;
}

function addAlpha(
  pixels: Uint8ClampedArray,
  picture: Rgba,
  scale: number,
  part: { left: number; top: number; width: number; height: number },
): void {
  const at = (x: number, y: number): number => picture.pixels[4 * (y * picture.width + x) + 3]!;
  const alpha = enlarge(at, picture, scale, part);
  for (let n = 0; n < alpha.length; n++) pixels[4 * n + 3] = alpha[n]!;
}

/** Copy RGBA to its place in rows of RGB or RGBA that are `stride` pixels wide. */
function place(
  pixels: Uint8ClampedArray,
  width: number,
  height: number,
  rows: Uint8Array,
  x: number,
  stride: number,
  channels: number,
): void {
  let from = 0;
  for (let line = 0; line < height; line++) {
    let to = channels * (line * stride + x);
    for (let n = 0; n < width; n++, from += 4) {
      for (let c = 0; c < channels; c++) rows[to++] = pixels[from + c]!;
    }
  }
}

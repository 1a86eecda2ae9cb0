/** Between the RGBA of a canvas and the BGR that models take and give. */
import type { Span } from "./tiling";

export interface Rgba {
  pixels: Uint8ClampedArray<ArrayBuffer>;
  width: number;
  height: number;
}

/**
 * BGR of the tile at (row, column), `height` by `width`. What lies beyond the picture repeats its
 * last row and column, as `runtime/cutting.py` does.
 */
export function cutTile(
  { pixels, width: full, height: fullHeight }: Rgba,
  row: Span,
  column: Span,
  height: number,
  width: number,
): Uint8Array {
  const tile = new Uint8Array(3 * height * width);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const line = full * Math.min(row.start + y, fullHeight - 1);
    for (let x = 0; x < width; x++) {
      const from = 4 * (line + Math.min(column.start + x, full - 1));
      tile[to++] = pixels[from + 2]!;
      tile[to++] = pixels[from + 1]!;
      tile[to++] = pixels[from]!;
    }
  }
  return tile;
}

/** Opaque RGBA of the part of a BGR picture (`stride` pixels wide) that begins at (x, y). */
export function partOf(
  bgr: Uint8Array,
  stride: number,
  x: number,
  y: number,
  width: number,
  height: number,
): Uint8ClampedArray<ArrayBuffer> {
  const part = new Uint8ClampedArray(4 * width * height);
  let to = 0;
  for (let line = y; line < y + height; line++) {
    let from = 3 * (line * stride + x);
    for (let n = 0; n < width; n++, from += 3) {
      part[to++] = bgr[from + 2]!;
      part[to++] = bgr[from + 1]!;
      part[to++] = bgr[from]!;
      part[to++] = 255;
    }
  }
  return part;
}

/** Whether every pixel has the same value in all three channels. */
export function isGrey(pixels: Uint8ClampedArray): boolean {
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at] !== pixels[at + 1] || pixels[at] !== pixels[at + 2]) return false;
  }
  return true;
}

/** Puts the BT.601 luma of BGR into all its channels, with OpenCV's weights of 15 bits. */
export function makeGrey(bgr: Uint8Array): void {
  for (let at = 0; at < bgr.length; at += 3) {
    const luma = 3735 * bgr[at]! + 19235 * bgr[at + 1]! + 9798 * bgr[at + 2]!;
    bgr.fill((luma + 16384) >> 15, at, at + 3);
  }
}

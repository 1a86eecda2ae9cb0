/**
 * Cuts a picture into tiles whose results, put together, equal the result of the whole picture.
 * The same plan as `runtime/tiling.py`: tiles overlap by the network's exact receptive field, and
 * end where the picture ends, so that the network pads with zeros there and only there.
 */
import { type ModelSpec, WHOLE_FRAME } from "../models/spec";

/** One tile along one axis: it reads from `start`, and gives the pixels [keepStart, keepStop). */
export interface Span {
  start: number;
  keepStart: number;
  keepStop: number;
}

export interface TilePlan {
  height: number;
  width: number;
  rows: Span[];
  columns: Span[];
}

/** Tiles of at most `maxPixels`, or of at most `side` by `side`. One tile if the picture fits. */
export function planTiles(
  height: number,
  width: number,
  spec: ModelSpec,
  maxPixels: number,
  side?: number,
): TilePlan {
  if (spec.halo >= WHOLE_FRAME) return plan(height, width, height, width, 0, 1);
  const { halo, sizeMultiple: multiple } = spec;
  const least = minimumTile(spec);
  if (side !== undefined) {
    return plan(
      height,
      width,
      atMost(side, height, halo, multiple, least),
      atMost(side, width, halo, multiple, least),
      halo,
      multiple,
    );
  }
  const full = [height, width] as const;
  const sides: [number, number] = [height, width];
  const counts: [number, number] = [1, 1];
  while (sides[0] * sides[1] > maxPixels) {
    const axis = sides[0] >= sides[1] ? 0 : 1;
    if (sides[axis] <= least) break;
    counts[axis] += 1;
    sides[axis] = even(full[axis], counts[axis], halo, multiple, least);
  }
  return plan(height, width, sides[0], sides[1], halo, multiple);
}

/** The smallest usable side: two halos and at least one multiple of kept pixels. */
export function minimumTile({ halo, sizeMultiple, minimumSide }: ModelSpec): number {
  const kept = Math.ceil((2 * halo) / sizeMultiple) + 1;
  return sizeMultiple * Math.max(kept, Math.ceil(minimumSide / sizeMultiple));
}

function atMost(side: number, full: number, halo: number, multiple: number, least: number): number {
  for (let count = 1; ; count++) {
    const tile = even(full, count, halo, multiple, least);
    if (tile <= Math.max(side, least)) return tile;
  }
}

function even(full: number, count: number, halo: number, multiple: number, least: number): number {
  const step = Math.ceil((full - 2 * halo) / count / multiple) * multiple;
  const paddedHalo = multiple * Math.ceil((2 * halo) / multiple);
  return Math.min(full, Math.max(step + paddedHalo, least));
}

function plan(
  height: number,
  width: number,
  tileHeight: number,
  tileWidth: number,
  halo: number,
  multiple: number,
): TilePlan {
  return {
    height: tileHeight,
    width: tileWidth,
    rows: spans(height, tileHeight, halo, multiple),
    columns: spans(width, tileWidth, halo, multiple),
  };
}

function spans(full: number, tile: number, halo: number, multiple: number): Span[] {
  if (tile >= full) return [{ start: 0, keepStart: 0, keepStop: full }];
  const step = Math.floor((tile - 2 * halo) / multiple) * multiple;
  const found: Span[] = [];
  for (let start = 0, kept = 0; kept < full; start += step) {
    start = Math.min(start, full - tile); // the last tile is shifted inward
    const stop = start + tile === full ? full : start + tile - halo;
    found.push({ start, keepStart: kept, keepStop: stop });
    kept = stop;
  }
  return found;
}

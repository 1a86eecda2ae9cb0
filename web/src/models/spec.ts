/** What the page knows of a model, from `models/index.json` or from the file's own metadata. */
export interface ModelSpec {
  name: string;
  /** "super-resolution" or "style". */
  task: string;
  scale: number;
  /** Radius of the receptive field in input pixels; WHOLE_FRAME where pixels depend on all others. */
  halo: number;
  sizeMultiple: number;
  minimumSide: number;
  precision: string;
  parameters: number;
  /** Peak memory of the network's values per input pixel, in the file's own precision. */
  activationBytes: number;
}

export interface ListedModel extends ModelSpec {
  /** Address of the file, relative to the index. */
  file: string;
  bytes: number;
  /** The same network in int8, which processors run faster. */
  int8: (ModelSpec & { file: string; bytes: number }) | null;
  /** "images" and "footage": what it is taken for when none is chosen. */
  defaultFor: string[];
  /** Y-PSNR in dB on the named set, as recorded in the file. */
  psnr: { set: string; db: number } | null;
}

export const WHOLE_FRAME = 1_000_000;

/** The canvas that shows a result, smaller than the result where that is more than a canvas holds. */
import type { Tile } from "../engine/client";

const MOST_SIDE = 8192;
const MOST_PIXELS = 48_000_000;

export class Sheet {
  readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private readonly scale: number;

  constructor(width: number, height: number) {
    this.scale = Math.min(
      1,
      MOST_SIDE / Math.max(width, height),
      Math.sqrt(MOST_PIXELS / (width * height)),
    );
    this.canvas = document.createElement("canvas");
    this.canvas.width = Math.max(1, Math.round(width * this.scale));
    this.canvas.height = Math.max(1, Math.round(height * this.scale));
    this.context = this.canvas.getContext("2d")!;
    this.context.imageSmoothingQuality = "high";
  }

  get isReduced(): boolean {
    return this.scale < 1;
  }

  put({ x, y, width, height, pixels }: Tile): void {
    const data = new ImageData(pixels, width, height);
    if (!this.isReduced) return this.context.putImageData(data, x, y);
    const whole = new OffscreenCanvas(width, height);
    whole.getContext("2d")!.putImageData(data, 0, 0);
    const s = this.scale;
    this.context.drawImage(whole, x * s, y * s, width * s, height * s);
  }
}

/** A canvas with a picture as it is. */
export function canvasOf(
  pixels: Uint8ClampedArray<ArrayBuffer>,
  width: number,
  height: number,
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")!.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

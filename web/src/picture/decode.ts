/** Reads a picture file upright into RGBA of sRGB. */
import type { Rgba } from "../engine/pixels";
import { bleed } from "./bleed";

/** More pixels than any browser's canvas has. */
const MOST_PIXELS = 120_000_000;

export class UnreadablePicture extends Error {}

export async function decode(file: File): Promise<Rgba> {
  const bitmap = await createImageBitmap(file, {
    colorSpaceConversion: "default", // to sRGB, as which the PNG is read
    premultiplyAlpha: "none",
  }).catch(() => null);
  if (!bitmap) {
    throw new UnreadablePicture(
      `${file.name || "The clipboard"} is no picture that this browser can read: ` +
        "use PNG, JPEG, WebP or AVIF.",
    );
  }
  const { width, height } = bitmap;
  const size = `${width} × ${height}`;
  if (width * height > MOST_PIXELS) {
    bitmap.close();
    throw new UnreadablePicture(
      `${file.name} has ${size} pixels, more than a browser can hold: use \`framelift upscale\`.`,
    );
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new UnreadablePicture(`${file.name} (${size}): this browser has no canvas.`);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const picture = { pixels: context.getImageData(0, 0, width, height).data, width, height };
  if (/^image\/(png|webp|avif|gif)$/.test(file.type)) bleed(picture); // the others are opaque
  return picture;
}

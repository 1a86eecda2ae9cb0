/** What lies under transparent pixels: hidden colours, which a network must not see. */
import type { Rgba } from "../engine/pixels";

const OUTSIDE = -1;

/**
 * Gives each fully transparent pixel the colour of a near one that is not, as
 * `common/images/content/alpha.py` does: canvases have black there, which a network would smear into the rim
 * of what is visible. In place; a picture that is transparent everywhere stays as it is.
 */
export function bleed({ pixels, width, height }: Rgba): void {
  const count = width * height;
  const isHidden = new Uint8Array(count);
  for (let at = 0; at < count; at++) isHidden[at] = pixels[4 * at + 3] === 0 ? 1 : 0;
  if (!isHidden.includes(1)) return;

  /** The pixels beside one, OUTSIDE where the picture ends. */
  const around = (at: number): [number, number, number, number] => [
    at >= width ? at - width : OUTSIDE,
    at < count - width ? at + width : OUTSIDE,
    at % width ? at - 1 : OUTSIDE,
    (at + 1) % width ? at + 1 : OUTSIDE,
  ];
  let rim: number[] = [];
  for (let at = 0; at < count; at++) {
    if (isHidden[at]) rim.push(...around(at).filter((near) => near >= 0 && !isHidden[near]));
  }
  while (rim.length) {
    const next: number[] = [];
    for (const at of rim) {
      for (const near of around(at)) {
        if (near < 0 || !isHidden[near]) continue;
        isHidden[near] = 0;
        for (let c = 0; c < 3; c++) pixels[4 * near + c] = pixels[4 * at + c]!;
        next.push(near);
      }
    }
    rim = next;
  }
}

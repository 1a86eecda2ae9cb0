/** Bicubic enlargement of one channel, as OpenCV's INTER_CUBIC does it (Keys, a = −0.75). */
const A = -0.75;

function weights(t: number): [number, number, number, number] {
  const near = (x: number): number => ((A + 2) * x - (A + 3)) * x * x + 1;
  const far = (x: number): number => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
}

/**
 * Rows [top, top + height) and columns [left, left + width) of a plane enlarged by `scale`, not
 * rounded. `at(x, y)` gives the plane's value; borders repeat.
 */
export function enlarge(
  at: (x: number, y: number) => number,
  full: { width: number; height: number },
  scale: number,
  part: { left: number; top: number; width: number; height: number },
): Float32Array {
  const clampX = (x: number): number => Math.min(Math.max(x, 0), full.width - 1);
  const clampY = (y: number): number => Math.min(Math.max(y, 0), full.height - 1);
  const out = new Float32Array(part.width * part.height);
  let to = 0;
  for (let y = part.top; y < part.top + part.height; y++) {
    const sourceY = (y + 0.5) / scale - 0.5;
    const y0 = Math.floor(sourceY);
    const wy = weights(sourceY - y0);
    for (let x = part.left; x < part.left + part.width; x++) {
      const sourceX = (x + 0.5) / scale - 0.5;
      const x0 = Math.floor(sourceX);
      const wx = weights(sourceX - x0);
      let sum = 0;
      for (let j = 0; j < 4; j++) {
        const line = clampY(y0 - 1 + j);
        let inLine = 0;
        for (let i = 0; i < 4; i++) inLine += wx[i]! * at(clampX(x0 - 1 + i), line);
        sum += wy[j]! * inLine;
      }
      out[to++] = sum;
    }
  }
  return out;
}

/**
 * Whether a result has anything of its input. Some browsers and drivers give a black picture or
 * noise without an error, so the first result is compared with a bicubic enlargement.
 */
import { enlarge } from "./cubic";

const SIDE = 48;
const LEAST_CONTRAST = 2;
const LEAST_CORRELATION = 0.3;
const MOST_DIFFERENCE = 64;

/**
 * A line that says what is wrong, or null. `input` and `output` are uint8 BGR of a tile and its
 * result. A style repaints its input, so there only a result without any contrast is wrong.
 */
export function fault(
  input: Uint8Array,
  output: Uint8Array,
  width: number,
  height: number,
  scale: number,
  task: string,
): string | null {
  const w = Math.min(SIDE, width);
  const h = Math.min(SIDE, height);
  const part = {
    left: Math.floor((width - w) / 2) * scale,
    top: Math.floor((height - h) / 2) * scale,
    width: w * scale,
    height: h * scale,
  };
  const green = (x: number, y: number): number => input[3 * (y * width + x) + 1]!;
  const bicubic = enlarge(green, { width, height }, scale, part);
  const result = new Float32Array(bicubic.length);
  let to = 0;
  for (let y = part.top; y < part.top + part.height; y++) {
    for (let x = part.left; x < part.left + part.width; x++) {
      result[to++] = output[3 * (y * width * scale + x) + 1]!;
    }
  }
  const one = moments(bicubic);
  const other = moments(result);
  if (one.deviation >= LEAST_CONTRAST && other.deviation < 0.5) return "is of one colour";
  if (task !== "super-resolution") return null;
  let difference = 0;
  let product = 0;
  for (let n = 0; n < result.length; n++) {
    difference += Math.abs(result[n]! - bicubic[n]!);
    product += (result[n]! - other.mean) * (bicubic[n]! - one.mean);
  }
  if (difference / result.length > MOST_DIFFERENCE) return "is far from its input";
  const correlation = product / result.length / (one.deviation * other.deviation);
  if (one.deviation >= LEAST_CONTRAST && correlation < LEAST_CORRELATION) {
    return "has nothing of its input";
  }
  return null;
}

function moments(values: Float32Array): { mean: number; deviation: number } {
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  return { mean, deviation: Math.sqrt(Math.max(0, squares / values.length - mean * mean)) };
}

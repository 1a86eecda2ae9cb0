/** Reads what a framelift model file says about itself, for files that the user opens. */
import { fields, string } from "./protobuf";
import type { ListedModel } from "./spec";

const PREFIX = "framelift.";
const NEWEST_FORMAT = 2;
const UINT8 = 2;
/** Memory per input pixel of networks that do not state theirs; more than that of most. */
const CAUTIOUS_BYTES = 4096;

export class UnusableModel extends Error {}

interface Value {
  name: string;
  type: number;
  isOpen: boolean;
}

/** `name` is the file's. Throws UnusableModel with a line for the user. */
export function readModel(name: string, bytes: Uint8Array): ListedModel {
  const refuse = (why: string): never => {
    throw new UnusableModel(`${name} ${why}`);
  };
  let found: { metadata: Map<string, string>; input: Value[]; output: Value[] };
  try {
    found = parse(bytes);
  } catch {
    return refuse("is no ONNX file, or is damaged.");
  }
  const { metadata, input, output } = found;
  if (!metadata.has("format")) {
    refuse("is no framelift model: make one of it with `framelift import`.");
  }
  const number = (key: string, fallback?: string): number => {
    const value = Number(metadata.get(key) ?? fallback);
    return Number.isInteger(value) && value >= 0 ? value : refuse(`has no sound ${PREFIX}${key}.`);
  };
  if (number("format") > NEWEST_FORMAT) refuse("was made by a newer framelift than this page.");
  if (number("window", "1") > 1) refuse("takes several frames: use `framelift upscale`.");
  if (input[0]?.name !== "frames" || output[0]?.name !== "upscaled" || input[0].type !== UINT8) {
    refuse("does not take and give frames of 8 bits.");
  }
  if (!input[0]!.isOpen) refuse("has a fixed size: export it with dynamic sizes.");
  const network = JSON.parse(metadata.get("network") ?? "{}") as { parameters?: number };
  return {
    name: name.replace(/\.onnx$/i, ""),
    file: "",
    bytes: bytes.length,
    task: metadata.get("task") ?? "super-resolution",
    scale: Math.max(1, number("scale")),
    halo: number("halo"),
    sizeMultiple: Math.max(1, number("size_multiple")),
    minimumSide: Math.max(1, number("minimum_side", "1")),
    precision: metadata.get("precision") ?? "",
    parameters: network.parameters ?? 0,
    activationBytes: number("activation_bytes", String(CAUTIOUS_BYTES)) || CAUTIOUS_BYTES,
    int8: null,
    defaultFor: [],
    psnr: null,
  };
}

function parse(bytes: Uint8Array): {
  metadata: Map<string, string>;
  input: Value[];
  output: Value[];
} {
  const metadata = new Map<string, string>();
  const input: Value[] = [];
  const output: Value[] = [];
  for (const part of fields(bytes)) {
    if (part.number === 14) {
      const [key, value] = [1, 2].map((number) => text(part.data, number));
      if (key!.startsWith(PREFIX)) metadata.set(key!.slice(PREFIX.length), value!);
    }
    if (part.number !== 7) continue;
    for (const field of fields(part.data)) {
      if (field.number === 11) input.push(valueOf(field.data));
      if (field.number === 12) output.push(valueOf(field.data));
    }
  }
  if (!input.length) throw new RangeError("no graph");
  return { metadata, input, output };
}

/** A graph's input or output; open if its height and width are free. */
function valueOf(bytes: Uint8Array): Value {
  let type = 0;
  const sizes: number[] = [];
  for (const outer of message(bytes, 2)) {
    for (const tensor of message(outer, 1)) {
      for (const field of fields(tensor)) {
        if (field.number === 1) type = field.value;
        if (field.number !== 2) continue;
        for (const dimension of message(field.data, 1)) {
          sizes.push([...fields(dimension)].find(({ number }) => number === 1)?.value ?? 0);
        }
      }
    }
  }
  return { name: text(bytes, 1), type, isOpen: !sizes[1] && !sizes[2] };
}

function* message(bytes: Uint8Array, number: number): Generator<Uint8Array> {
  for (const field of fields(bytes)) if (field.number === number) yield field.data;
}

function text(bytes: Uint8Array, number: number): string {
  for (const field of message(bytes, number)) return string(field);
  return "";
}

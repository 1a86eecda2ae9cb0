/**
 * Makes an fp16 model a float32 one, as `runtime/backends/widen.py` does: for GPUs without half
 * precision in shaders. The field numbers are those of onnx.proto.
 */
import { encodeBytes, encodeNumber, type Field, fields, join, rewrite, string } from "./protobuf";

const FLOAT = 1;
const FLOAT16 = 10;

export function widen(model: Uint8Array): Uint8Array {
  return rewrite(model, (field) => (field.number === 7 ? inside(field, graph) : undefined));
}

/** Whether weights are stored in half precision. */
export function hasHalf(model: Uint8Array): boolean {
  for (const part of fields(model)) {
    if (part.number !== 7) continue;
    for (const field of fields(part.data)) {
      if (field.number === 5 && dataType(field.data) === FLOAT16) return true;
    }
  }
  return false;
}

function inside(field: Field, change: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  return encodeBytes(field.number, change(field.data));
}

function graph(bytes: Uint8Array): Uint8Array {
  return rewrite(bytes, (field) => {
    if (field.number === 1) return inside(field, node);
    if (field.number === 5) return inside(field, tensor);
    if ([11, 12, 13].includes(field.number)) return inside(field, valueInfo);
    return undefined;
  });
}

function node(bytes: Uint8Array): Uint8Array {
  return rewrite(bytes, (field) => (field.number === 5 ? inside(field, attribute) : undefined));
}

function attribute(bytes: Uint8Array): Uint8Array {
  const name = [...fields(bytes)].find((field) => field.number === 1);
  const isType = ["to", "dtype", "output_dtype"].includes(name ? string(name.data) : "");
  return rewrite(bytes, (field) => {
    if (field.number === 3 && isType && field.value === FLOAT16) return encodeNumber(3, FLOAT);
    if (field.number === 5) return inside(field, tensor);
    if (field.number === 6 || field.number === 11) return inside(field, graph);
    return undefined;
  });
}

function valueInfo(bytes: Uint8Array): Uint8Array {
  const elementType = (tensorType: Uint8Array): Uint8Array =>
    rewrite(tensorType, (field) =>
      field.number === 1 && field.value === FLOAT16 ? encodeNumber(1, FLOAT) : undefined,
    );
  const type = (bytes: Uint8Array): Uint8Array =>
    rewrite(bytes, (field) => (field.number === 1 ? inside(field, elementType) : undefined));
  return rewrite(bytes, (field) => (field.number === 2 ? inside(field, type) : undefined));
}

function dataType(tensor: Uint8Array): number {
  for (const field of fields(tensor)) if (field.number === 2) return field.value;
  return 0;
}

function tensor(bytes: Uint8Array): Uint8Array {
  if (dataType(bytes) !== FLOAT16) return bytes;
  const parts: Uint8Array[] = [];
  const bits: number[] = [];
  for (const field of fields(bytes)) {
    if (field.number === 2) parts.push(encodeNumber(2, FLOAT));
    else if (field.number === 9) bits.push(...halves(field.data));
    else if (field.number === 5 && field.wire === 2) bits.push(...varints(field.data));
    else if (field.number === 5) bits.push(field.value);
    else parts.push(field.raw);
  }
  const values = new DataView(new ArrayBuffer(4 * bits.length));
  bits.forEach((half, index) => values.setFloat32(4 * index, halfToFloat(half), true));
  return join([...parts, encodeBytes(9, new Uint8Array(values.buffer))]);
}

function* halves(data: Uint8Array): Generator<number> {
  for (let at = 0; at + 1 < data.length; at += 2) yield data[at]! | (data[at + 1]! << 8);
}

function* varints(data: Uint8Array): Generator<number> {
  let value = 0;
  let factor = 1;
  for (const byte of data) {
    value += (byte & 127) * factor;
    factor *= 128;
    if (byte < 128) {
      yield value;
      value = 0;
      factor = 1;
    }
  }
}

export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

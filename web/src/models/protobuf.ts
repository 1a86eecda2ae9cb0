/** The little of Protocol Buffers that reading and rewriting an ONNX file takes. */

export interface Field {
  number: number;
  wire: number;
  /** Value of a varint; 0 for other wire types. */
  value: number;
  /** Contents of a length-delimited field; the raw bytes of other ones. */
  data: Uint8Array;
  /** The whole field with its tag, to be copied as it is. */
  raw: Uint8Array;
}

const text = new TextDecoder("utf-8", { fatal: true });

export function string(data: Uint8Array): string {
  return text.decode(data);
}

/** The fields of a message in order. Throws a RangeError where the bytes end inside a field. */
export function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;

  function varint(): number {
    let value = 0;
    for (let factor = 1, n = 0; n < 10; n++, factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("cut short");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new RangeError("no varint");
  }

  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    const wire = tag & 7;
    let value = 0;
    let from = at;
    if (wire === 0) value = varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      from = at;
      at += length;
    } else throw new RangeError(`wire type ${wire}`);
    if (at > bytes.length) throw new RangeError("cut short");
    yield {
      number: Math.floor(tag / 8),
      wire,
      value,
      data: bytes.subarray(from, at),
      raw: bytes.subarray(start, at),
    };
  }
}

export function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  while (value >= 128) {
    bytes.push((value % 128) | 128);
    value = Math.floor(value / 128);
  }
  return Uint8Array.from([...bytes, value]);
}

export function encodeNumber(number: number, value: number): Uint8Array {
  return join([encodeVarint(number * 8), encodeVarint(value)]);
}

export function encodeBytes(number: number, data: Uint8Array): Uint8Array {
  return join([encodeVarint(number * 8 + 2), encodeVarint(data.length), data]);
}

export function join(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The message with each field replaced by what `change` gives for it; `undefined` keeps it. */
export function rewrite(
  bytes: Uint8Array,
  change: (field: Field) => Uint8Array | undefined,
): Uint8Array {
  return join([...fields(bytes)].map((field) => change(field) ?? field.raw));
}

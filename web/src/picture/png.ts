/** Writes a PNG row by row, so that a picture larger than memory allows is never whole. */
const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const PAETH = 4;

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

export class PngWriter {
  private readonly stream = new CompressionStream("deflate");
  private readonly writer = this.stream.writable.getWriter();
  private readonly parts: BlobPart[] = [];
  private readonly reading: Promise<void>;
  private above: Uint8Array;

  /** `channels`: 3 for RGB, 4 for RGBA, of 8 bits each. */
  constructor(
    private readonly width: number,
    height: number,
    private readonly channels: 3 | 4,
  ) {
    this.above = new Uint8Array(width * channels);
    const header = new DataView(new ArrayBuffer(13));
    header.setUint32(0, width);
    header.setUint32(4, height);
    header.setUint8(8, 8);
    header.setUint8(9, channels === 3 ? 2 : 6);
    this.parts.push(SIGNATURE, chunk("IHDR", new Uint8Array(header.buffer)));
    this.reading = this.read();
  }

  /** Whole rows, one behind the other. */
  async add(rows: Uint8Array): Promise<void> {
    const stride = this.width * this.channels;
    const count = rows.length / stride;
    const filtered = new Uint8Array(count * (stride + 1));
    for (let row = 0; row < count; row++) {
      const line = rows.subarray(row * stride, (row + 1) * stride);
      filtered[row * (stride + 1)] = PAETH;
      predict(line, this.above, this.channels, filtered, row * (stride + 1) + 1);
      this.above = line;
    }
    this.above = this.above.slice();
    await this.writer.write(filtered);
  }

  async finish(): Promise<Blob> {
    await this.writer.close();
    await this.reading;
    this.parts.push(chunk("IEND", new Uint8Array(0)));
    return new Blob(this.parts, { type: "image/png" });
  }

  private async read(): Promise<void> {
    const reader = this.stream.readable.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.parts.push(chunk("IDAT", value));
    }
  }
}

function predict(
  line: Uint8Array,
  above: Uint8Array,
  channels: number,
  out: Uint8Array,
  at: number,
): void {
  for (let x = 0; x < line.length; x++) {
    const a = x < channels ? 0 : line[x - channels]!;
    const b = above[x]!;
    const c = x < channels ? 0 : above[x - channels]!;
    const pa = Math.abs(b - c);
    const pb = Math.abs(a - c);
    const pc = Math.abs(a + b - 2 * c);
    const guess = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    out[at + x] = line[x]! - guess;
  }
}

function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(data.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  for (let n = 0; n < 4; n++) whole[4 + n] = type.charCodeAt(n);
  whole.set(data, 8);
  let crc = 0xffffffff;
  for (let n = 4; n < whole.length - 4; n++) crc = crcTable[(crc ^ whole[n]!) & 255]! ^ (crc >>> 8);
  view.setUint32(whole.length - 4, ~crc >>> 0);
  return whole;
}

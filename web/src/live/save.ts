/** Files of upscaled video: a clip of a file, frame by frame, or what a camera shows. */
import {
  BlobSource,
  BufferTarget,
  canEncodeAudio,
  Conversion,
  ConversionCanceledError,
  getFirstEncodableVideoCodec,
  Input,
  MATROSKA,
  MediaStreamAudioTrackSource,
  MP4,
  Mp4OutputFormat,
  Output,
  QTFF,
  QUALITY_VERY_HIGH,
  type VideoCodec,
  VideoSample,
  VideoSampleSource,
  WEBM,
} from "mediabunny";

/** By how widely players take them in an MP4. */
const CODECS: VideoCodec[] = ["avc", "hevc", "av1", "vp9"];

export class CannotSave extends Error {}

async function codecFor(width: number, height: number): Promise<VideoCodec> {
  if (!isSecureContext) {
    throw new CannotSave("Browsers encode video on https and on this machine only: use `framelift upscale`.");
  }
  const codec = await getFirstEncodableVideoCodec(CODECS, { width, height, quality: QUALITY_VERY_HIGH });
  if (!codec) {
    throw new CannotSave(
      `This browser encodes no video of ${width} × ${height}: choose a smaller scale, or use ` +
        "`framelift upscale`.",
    );
  }
  return codec;
}

export interface ClipOptions {
  file: File;
  scale: number;
  /** Seconds of the file. */
  start: number;
  end: number;
  upscale(frame: VideoFrame): Promise<VideoFrame>;
  /** A share of the whole. */
  progress(share: number): void;
}

/** Every frame of a part of a file upscaled, at its own time, with the file's sound. */
export class ClipSaver {
  private conversion: Conversion | null = null;
  private isCancelled = false;

  /** Null if it was cancelled. `notes` are lines on what the file will lack. */
  async save(options: ClipOptions): Promise<{ blob: Blob; notes: string[] } | null> {
    const { file, scale, start, end } = options;
    const input = new Input({ source: new BlobSource(file), formats: [MP4, QTFF, WEBM, MATROSKA] });
    const video = await input.getPrimaryVideoTrack().catch(() => null);
    if (!video) throw new CannotSave(`${file.name} has no video that can be read.`);
    const crop = { left: 0, top: 0, width: await video.getDisplayWidth(), height: await video.getDisplayHeight() };
    if (scale % 2) [crop.width, crop.height] = [even(crop.width), even(crop.height)];
    const [width, height] = [scale * crop.width, scale * crop.height];
    const codec = await codecFor(width, height);
    const output = new Output({
      format: new Mp4OutputFormat({ fastStart: "in-memory" }),
      target: new BufferTarget(),
    });
    const conversion = await Conversion.init({
      input,
      output,
      tracks: "primary",
      trim: { start, end },
      showWarnings: false,
      video: {
        codec,
        crop,
        quality: QUALITY_VERY_HIGH,
        forceTranscode: true,
        processedWidth: width,
        processedHeight: height,
        process: async (sample) => {
          const frame = sample.toVideoFrame();
          const result = await options.upscale(frame);
          return new VideoSample(result, { timestamp: sample.timestamp, duration: sample.duration });
        },
      },
    });
    this.conversion = conversion;
    if (this.isCancelled) return null;
    const left = conversion.discardedTracks.filter(({ track }) => track.type === "video");
    if (left.length || !conversion.isValid) {
      throw new CannotSave(`${file.name} cannot be decoded or encoded by this browser.`);
    }
    const isSilent = conversion.discardedTracks.some(({ track }) => track.type === "audio");
    conversion.onProgress = options.progress;
    try {
      await conversion.execute();
    } catch (error) {
      if (error instanceof ConversionCanceledError || this.isCancelled) return null;
      throw error;
    }
    const blob = new Blob([output.target.buffer!], { type: "video/mp4" });
    return { blob, notes: isSilent ? ["The sound is left out: this browser cannot read or write it."] : [] };
  }

  cancel(): void {
    this.isCancelled = true;
    void this.conversion?.cancel();
  }
}

function even(side: number): number {
  return side - (side % 2); // as H.264 wants it
}

/** A recording of frames as they come, with the sound of a microphone. */
export class LiveRecorder {
  private readonly output = new Output({
    format: new Mp4OutputFormat({ fastStart: "in-memory" }),
    target: new BufferTarget(),
  });
  private source: VideoSampleSource | null = null;
  private begin = 0;
  private starting: Promise<void> | null = null;
  private last = -1;
  /** Why the sound could not be recorded. */
  fault: Error | null = null;
  private encoding: Promise<void> = Promise.resolve();

  constructor(private readonly sound: MediaStreamTrack | null) {}

  /** Add a frame, which is closed. Its time is that of the call. */
  add(frame: VideoFrame): void {
    const now = performance.now() / 1000;
    this.starting ??= this.start(frame.displayWidth, frame.displayHeight, now);
    this.encoding = this.encoding.then(async () => {
      await this.starting;
      const timestamp = Math.max(now - this.begin, this.last + 1e-3);
      this.last = timestamp;
      const sample = new VideoSample(frame, { timestamp });
      await this.source!.add(sample);
      sample.close();
    });
    this.encoding.catch(() => frame.close());
  }

  /** The file, or null if no frame came. */
  async finish(): Promise<Blob | null> {
    if (!this.starting) return null;
    await this.encoding;
    await this.output.finalize();
    return new Blob([this.output.target.buffer!], { type: "video/mp4" });
  }

  private async start(width: number, height: number, now: number): Promise<void> {
    const codec = await codecFor(even(width), even(height));
    this.source = new VideoSampleSource({
      codec,
      quality: QUALITY_VERY_HIGH,
      latencyMode: "realtime",
      sizeChangeBehavior: "fill",
      transform: { width: even(width), height: even(height), fit: "fill" },
    });
    this.output.addVideoTrack(this.source);
    if (this.sound) {
      const audio = (await canEncodeAudio("aac")) ? "aac" : "opus";
      const source = new MediaStreamAudioTrackSource(
        this.sound as MediaStreamAudioTrack,
        { codec: audio, quality: QUALITY_VERY_HIGH },
        { timestampBase: "zero" },
      );
      source.errorPromise.catch((error: unknown) => (this.fault ??= error as Error));
      this.output.addAudioTrack(source);
    }
    await this.output.start();
    this.begin = now;
  }
}

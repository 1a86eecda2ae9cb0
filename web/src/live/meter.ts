/** Counts frames and measures them: fps, latency percentiles, drops. */
const KEPT = 300;
const FPS_MS = 3000;

export class Meter {
  private shownAt: number[] = [];
  private latencies: number[] = [];
  private firstPresented: number | null = null;
  private lastPresented = 0;
  /** Frames that were upscaled and shown. */
  shown = 0;

  reset(): void {
    this.shownAt = [];
    this.latencies = [];
    this.firstPresented = null;
    this.lastPresented = this.shown = 0;
  }

  /** The browser has presented its n-th frame of the source. */
  presented(count: number): void {
    this.firstPresented ??= count - 1;
    this.lastPresented = count;
  }

  /** A frame was shown `latency` ms after it was taken. */
  done(latency: number): void {
    this.shown += 1;
    this.shownAt.push(performance.now());
    this.latencies.push(latency);
    if (this.latencies.length > KEPT) this.latencies.shift();
    if (this.shownAt.length > KEPT) this.shownAt.shift();
  }

  /** Frames of the source since the start. */
  get frames(): number {
    return this.lastPresented - (this.firstPresented ?? 0);
  }

  /** Frames that were neither shown nor are under way. */
  get dropped(): number {
    return Math.max(0, this.frames - this.shown - 1);
  }

  get fps(): number {
    const since = performance.now() - FPS_MS;
    const recent = this.shownAt.filter((at) => at >= since);
    const [first, last] = [recent[0], recent.at(-1)];
    if (first === undefined || last === undefined || first === last) return 0;
    return (1000 * (recent.length - 1)) / (last - first);
  }

  /** The latency in ms that a share of the last frames kept within. */
  percentile(share: number): number {
    const sorted = [...this.latencies].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  }
}

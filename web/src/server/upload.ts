/** Uploads in pieces that go on after a lost connection and a reloaded page (tus 1.0.0). */
import { ApiError, address, ask } from "./api";

const PIECE_BYTES = 8 << 20;
const PAUSES_SECONDS = [1, 2, 5, 10, 20];

export class Upload {
  private readonly stopping = new AbortController();
  private place: string | null = null;

  constructor(
    private readonly file: File,
    private readonly progress: (share: number, note: string) => void,
  ) {}

  /** Sends the file; the id of the upload. Throws ApiError, or AbortError when cancelled. */
  async run(): Promise<string> {
    let offset = await this.resume();
    let failures = 0;
    while (offset < this.file.size) {
      this.progress(offset / this.file.size, "");
      try {
        offset = await this.send(offset);
        failures = 0;
      } catch (error) {
        if (!isLost(error) || failures >= PAUSES_SECONDS.length) throw error;
        this.progress(offset / this.file.size, "connection lost, trying again");
        await this.pause(PAUSES_SECONDS[failures++]!);
        offset = await this.offset().catch(() => offset);
      }
    }
    forget(this.file);
    return this.place!.split("/").pop()!;
  }

  async cancel(): Promise<void> {
    this.stopping.abort();
    forget(this.file);
    if (this.place) await ask(this.place, { method: "DELETE" }).catch(() => undefined);
  }

  private async resume(): Promise<number> {
    this.place = kept(this.file);
    if (this.place) {
      const offset = await this.offset().catch(() => null);
      if (offset !== null) return offset;
    }
    const name = btoa(String.fromCharCode(...new TextEncoder().encode(this.file.name)));
    const answer = await ask("v1/uploads", {
      method: "POST",
      headers: { "Tus-Resumable": "1.0.0", "Upload-Length": String(this.file.size), "Upload-Metadata": `filename ${name}` },
      signal: this.stopping.signal,
    });
    this.place = answer.headers.get("Location")!;
    keep(this.file, this.place);
    return 0;
  }

  private async offset(): Promise<number> {
    const answer = await ask(this.place!, { method: "HEAD", signal: this.stopping.signal });
    return Number(answer.headers.get("Upload-Offset"));
  }

  /** Sends the next piece; the new offset. A request of the old kind, since only it reports progress. */
  private send(offset: number): Promise<number> {
    const piece = this.file.slice(offset, offset + PIECE_BYTES);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PATCH", address(this.place!));
      request.setRequestHeader("Tus-Resumable", "1.0.0");
      request.setRequestHeader("Upload-Offset", String(offset));
      request.setRequestHeader("Content-Type", "application/offset+octet-stream");
      request.upload.addEventListener("progress", (event) => {
        this.progress((offset + event.loaded) / this.file.size, "");
      });
      request.addEventListener("load", () => {
        if (request.status === 204) resolve(Number(request.getResponseHeader("Upload-Offset")));
        else reject(new ApiError(request.status, lineOf(request)));
      });
      request.addEventListener("error", () => reject(new ApiError(0, "The connection to the server was lost.")));
      request.addEventListener("abort", () => reject(this.stopping.signal.reason as Error));
      this.stopping.signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(piece);
    });
  }

  private pause(seconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      setTimeout(resolve, 1000 * seconds);
      this.stopping.signal.addEventListener("abort", () => reject(this.stopping.signal.reason as Error), { once: true });
    });
  }
}

export function isCancelled(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Whether trying again may help: no answer, or one that depends on the moment. */
function isLost(error: unknown): boolean {
  return error instanceof ApiError && [0, 409, 423].includes(error.status);
}

function lineOf(request: XMLHttpRequest): string {
  try {
    return (JSON.parse(request.responseText) as { error: { message: string } }).error.message;
  } catch {
    return `The server answered with ${request.status}.`;
  }
}

/* Where an upload of a file goes on, kept in this browser; without storage it begins anew. */

const key = (file: File): string => `upload ${file.name} ${file.size} ${file.lastModified}`;

function kept(file: File): string | null {
  try {
    return localStorage.getItem(key(file));
  } catch {
    return null;
  }
}

function keep(file: File, place: string): void {
  try {
    localStorage.setItem(key(file), place);
  } catch {
    // it cannot be resumed, then
  }
}

function forget(file: File): void {
  try {
    localStorage.removeItem(key(file));
  } catch {
    // nothing was kept
  }
}

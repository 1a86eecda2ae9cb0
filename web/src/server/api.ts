/** The HTTP API of `framelift serve`, as far as the page uses it. */

export interface JobFile {
  url: string;
  media_type: string;
  bytes: number;
}

export interface Job {
  id: string;
  state: "queued" | "running" | "done" | "failed";
  name: string;
  kind: "image" | "video";
  options: Record<string, string>;
  expires: string | null;
  position: number | null;
  progress: { frames: number; total: number | null; fps: number; fraction: number | null; eta_seconds: number | null } | null;
  input: JobFile;
  result: (JobFile & { name: string; width: number; height: number; frames: number | null }) | null;
  notes: string[];
  error: { kind: string; message: string } | null;
}

export interface ServerModel {
  name: string;
  command: "upscale" | "stylize";
  scale?: number | null;
}

export interface Limits {
  bytes: number;
  pixels: number;
  frames: number;
  seconds: number;
  keep_seconds: number;
}

/** An answer that says what is wrong. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** An address of the server, wherever the page lies. */
export function address(path: string): string {
  return new URL(path.replace(/^\//, ""), document.baseURI).href;
}

/** Asks the server. Throws ApiError with its line, or one that says that it does not answer. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address(path), init);
  } catch {
    throw new ApiError(0, "The server does not answer.");
  }
  if (!answer.ok) throw new ApiError(answer.status, await lineOf(answer));
  return answer;
}

async function lineOf(answer: Response): Promise<string> {
  try {
    return ((await answer.json()) as { error: { message: string } }).error.message;
  } catch {
    return `The server answered with ${answer.status}.`;
  }
}

async function read<T>(path: string): Promise<T> {
  return (await (await ask(path)).json()) as T;
}

export const api = {
  limits: (): Promise<Limits> => read("v1/limits"),
  models: async (): Promise<ServerModel[]> => (await read<{ models: ServerModel[] }>("v1/models")).models,
  jobs: async (): Promise<Job[]> => (await read<{ jobs: Job[] }>("v1/jobs")).jobs,

  async begin(upload: string, options: Record<string, unknown>): Promise<Job> {
    const answer = await ask("v1/jobs", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ upload, options }),
    });
    return (await answer.json()) as Job;
  },

  async remove(id: string): Promise<void> {
    await ask(`v1/jobs/${id}`, { method: "DELETE" });
  },

  /** Shows the token, for a cookie that players and links use, too. */
  async signIn(token: string): Promise<void> {
    await ask("v1/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  },
};

const AGAIN_SECONDS = 5;

/** Reports a job's changes until it ends; null is a job that is gone. Returns what stops that. */
export function watch(id: string, report: (job: Job | null) => void): () => void {
  let stopped = false;
  const source = new EventSource(address(`v1/jobs/${id}/events`));
  let stop = (): void => source.close();
  const last = (job: Job | null): void => {
    source.close(); // or the browser connects again
    report(job);
  };
  const jobOf = (event: Event): Job => JSON.parse((event as MessageEvent<string>).data) as Job;
  source.addEventListener("progress", (event) => report(jobOf(event)));
  source.addEventListener("end", (event) => last(jobOf(event)));
  source.addEventListener("deleted", () => last(null));
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
    ask(`v1/jobs/${id}`).catch((error: ApiError) => {
      if (error.status === 404 && !stopped) report(null);
    });
    const timer = setTimeout(() => {
      if (!stopped) stop = watch(id, report);
    }, 1000 * AGAIN_SECONDS);
    stop = () => clearTimeout(timer);
  });
  return () => {
    stopped = true;
    stop();
  };
}

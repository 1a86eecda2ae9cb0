import "./style.css";
import { fetchModels } from "./models/catalog";
import type { ListedModel } from "./models/spec";
import { PicturePage } from "./picture/page";
import { listenForFiles } from "./ui/intake";
import { themeButton } from "./ui/theme";

interface Page {
  root: HTMLElement;
  offer(models: ListedModel[]): void;
  fail(text: string): void;
  /** Another page is shown. */
  leave(): void;
  open?(file: File): Promise<void>;
}

/** Pages are made when they are first shown; those for video are loaded then, too. */
const MAKERS: Record<string, () => Promise<Page>> = {
  picture: () => Promise.resolve(new PicturePage()),
  video: async () => new (await import("./live/video_page")).VideoPage(),
  camera: async () => new (await import("./live/camera_page")).CameraPage(),
};

/** `framelift serve` marks its page; elsewhere there is no server to upload to. */
if ("server" in document.documentElement.dataset) {
  MAKERS["server"] = async () => new (await import("./server/page")).ServerPage();
  document.getElementById("server-tab")!.hidden = false;
}

const main = document.getElementById("main")!;
const pages = new Map<string, Promise<Page>>();
const models = fetchModels();
let shown: Page | null = null;

function pageOf(name: string): Promise<Page> {
  let page = pages.get(name);
  if (!page) {
    page = MAKERS[name]!().then((made) => {
      main.append(made.root);
      models.then(
        (found) => made.offer(found),
        (error: Error) => made.fail(error.message),
      );
      return made;
    });
    pages.set(name, page);
  }
  return page;
}

function nameAsked(): string {
  const name = location.hash.slice(1);
  return name in MAKERS ? name : "picture";
}

async function show(name: string): Promise<Page> {
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".tabs a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const page = await pageOf(name);
  if (shown !== page) shown?.leave();
  shown = page;
  for (const other of pages.values()) {
    const { root } = await other;
    root.hidden = root !== shown.root;
  }
  return page;
}

async function open(file: File): Promise<void> {
  const here = nameAsked();
  const fitting = file.type.startsWith("video/") ? "video" : "picture";
  const isModel = /\.onnx$/i.test(file.name);
  const name = here === "server" || (isModel && here === "video") ? here : fitting;
  if (here !== name) history.replaceState(null, "", `#${name}`);
  await (await show(name)).open!(file);
}

function tellOfIsolation(): void {
  if (self.crossOriginIsolated) return;
  const line = document.getElementById("isolation")!;
  line.hidden = false;
  line.textContent = isSecureContext
    ? "WebAssembly has one thread here: this host sends no Cross-Origin-Opener-Policy and " +
      "Cross-Origin-Embedder-Policy headers. framelift web sends them."
    : "This address is neither https nor this machine. Therefore the browser gives the page no WebGPU and no " +
      "camera, saves no clips, and WebAssembly has one thread.";
}

themeButton(document.getElementById("theme") as HTMLButtonElement);
tellOfIsolation();
window.addEventListener("hashchange", () => void show(nameAsked()));
listenForFiles((file) => void open(file));
void show(nameAsked());

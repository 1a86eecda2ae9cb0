import "./style.css";
import { fetchModels } from "./models/catalog";
import { PicturePage } from "./picture/page";
import { listenForFiles } from "./ui/intake";
import { themeButton } from "./ui/theme";

const main = document.getElementById("main")!;
const page = new PicturePage();

function showIsolation(): void {
  if (self.crossOriginIsolated) return;
  const line = document.getElementById("isolation")!;
  line.hidden = false;
  line.textContent =
    "WebAssembly has one thread here: this host sends no Cross-Origin-Opener-Policy and " +
    "Cross-Origin-Embedder-Policy headers. `framelift web` sends them.";
}

themeButton(document.getElementById("theme") as HTMLButtonElement);
showIsolation();
main.append(page.root);
listenForFiles((file) => void page.open(file));
fetchModels().then(
  (models) => page.offer(models),
  (error: Error) => page.fail(error.message),
);

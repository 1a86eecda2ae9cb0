// Opens the page in Chromium. `node pictures.mjs ASKED`, and so on, reads {"scenario", "url",
// "chromium", ...} as JSON and prints what that scenario gives as JSON.
import { chromium } from "../../web/node_modules/playwright-core/index.mjs";

const FLAGS = [
  "--no-sandbox", // tests may run as root
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  // Canvases of WebGPU need GL beside it, in software, too.
  "--use-vulkan=swiftshader",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  "--host-resolver-rules=MAP plain.test 127.0.0.1", // http of another machine, as browsers see it
];
export const SECONDS = 1000;

/** Runs `scenario(page, asked)` and prints what it gives, with what the page's console said. */
export async function inPage(scenarios) {
  const asked = JSON.parse(process.argv[2]);
  const browser = await chromium.launch({ executablePath: asked.chromium, args: FLAGS });
  const context = await browser.newContext({
    viewport: asked.viewport ?? { width: 1280, height: 860 },
    colorScheme: asked.scheme ?? "light",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(120 * SECONDS);
  const said = [];
  const requests = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`uncaught: ${error.message}`));
  page.on("request", (request) => requests.push(request.url()));
  try {
    const found = await scenarios[asked.scenario](page, asked);
    process.stdout.write(JSON.stringify({ ...found, said, requests }));
  } finally {
    await browser.close();
  }
}

/** Opens the page and gives it a picture. */
export async function open(page, { url, file }) {
  await page.goto(url);
  await page.locator("#main input[type=file]").first().setInputFiles(file);
}

/** Waits until the run that is under way has ended, and returns what the page says of it. */
export async function runEnded(page, within = "body") {
  const part = page.locator(within);
  await part.locator(".facts dt, .notice.is-error").first().waitFor();
  return {
    facts: await part.locator(".facts").first().innerText(),
    notices: await part.locator(".notice").allInnerTexts(),
  };
}

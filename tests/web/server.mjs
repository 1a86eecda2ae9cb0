import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { inPage, SECONDS } from "./chromium.mjs";

const AXE = new URL("../../web/node_modules/axe-core/axe.min.js", import.meta.url);

const card = (page, name) => page.locator(".card").filter({ hasText: name });

async function open(page, { url }) {
  await page.goto(`${url}#server`);
}

async function give(page, file, options = {}) {
  for (const [label, value] of Object.entries(options)) {
    const field = page.getByLabel(label, { exact: true });
    if ((await field.evaluate((made) => made.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
  await page.locator(".is-server input[type=file]").setInputFiles(file);
}

await inPage({
  /** A video runs to its end: progress is seen, both videos play, the result is downloaded. */
  async video(page, asked) {
    await open(page, asked);
    await give(page, asked.file, asked.options);
    const made = card(page, basename(asked.file));
    const lines = new Set();
    const watching = setInterval(() => {
      made.locator(".line").innerText().then((line) => lines.add(line), () => undefined);
    }, 25);
    await made.getByRole("link").waitFor();
    clearInterval(watching);
    // The job can end between two looks: its last line is read when the link is there.
    lines.add(await made.locator(".line", { hasText: /^Done/ }).innerText());
    await made.getByRole("button", { name: /^Before and after/ }).click();
    const videos = page.locator(".player video");
    await page.waitForFunction(() => [...document.querySelectorAll(".player video")].every((v) => v.readyState >= 2));
    const sizes = await videos.evaluateAll((all) => all.map((v) => [v.videoWidth, v.videoHeight]));
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForTimeout(1 * SECONDS);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.waitForTimeout(0.3 * SECONDS);
    const times = await videos.evaluateAll((all) => all.map((v) => v.currentTime));
    const slider = page.locator(".player .split");
    await slider.focus();
    await page.keyboard.press("Home");
    const split = await slider.getAttribute("aria-valuenow");
    await page.locator(".player").screenshot({ path: asked.shot });
    const download = page.waitForEvent("download");
    await made.getByRole("link").click();
    const saved = await download;
    await saved.saveAs(asked.target);
    await made.getByRole("button", { name: /^Remove/ }).click();
    await made.waitFor({ state: "detached" });
    return { lines: [...lines], sizes, times, split, name: saved.suggestedFilename(), left: await page.locator(".card").count() };
  },

  /** A job that is cancelled while it runs is gone. */
  async cancelled(page, asked) {
    await open(page, asked);
    await give(page, asked.file, asked.options);
    const made = card(page, basename(asked.file));
    await made.locator(".line", { hasText: /^Upscaling/ }).waitFor();
    await made.getByRole("button", { name: /^Cancel/ }).click();
    await made.waitFor({ state: "detached" });
    return { left: await page.locator(".card").count() };
  },

  /** A file that is no video gets the line of the command. */
  async refused(page, asked) {
    await open(page, asked);
    await give(page, asked.file, asked.options);
    return { notice: await page.locator(".card .notice").innerText() };
  },

  /** Of a file that the browser cannot play, only the result is shown. */
  async unplayable(page, asked) {
    await open(page, asked);
    await give(page, asked.file, asked.options);
    const show = card(page, basename(asked.file)).getByRole("button", { name: /^Before and after/ });
    await show.click();
    await page.locator(".player .notice").waitFor();
    const notice = await page.locator(".player .notice").innerText();
    const split = await page.locator(".player .split").getAttribute("aria-valuenow");
    await page.getByRole("button", { name: "Close" }).click();
    await page.locator(".player").waitFor({ state: "hidden" });
    return { notice, split };
  },

  /** A server with a token asks for it, once. */
  async token(page, asked) {
    await open(page, asked);
    const field = page.getByLabel("This server asks for its token.");
    await field.fill("a wrong token");
    await page.getByRole("button", { name: "Sign in" }).click();
    const notice = await page.locator(".notice.is-error").innerText();
    await field.fill(asked.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Drop a video here").waitFor();
    await page.reload();
    await page.getByText("Drop a video here").waitFor();
    await give(page, asked.file, asked.options);
    await card(page, basename(asked.file)).getByRole("link").waitFor();
    return { notice };
  },

  /** Violations that axe-core finds, and pictures of the page at its states. */
  async look(page, asked) {
    await open(page, asked);
    await give(page, asked.file, asked.options);
    await card(page, basename(asked.file)).getByRole("link").waitFor();
    await give(page, asked.broken, asked.options);
    await page.locator(".card .notice").waitFor();
    await card(page, basename(asked.file)).getByRole("button", { name: /^Before and after/ }).click();
    await page.waitForFunction(() => [...document.querySelectorAll(".player video")].every((v) => v.readyState >= 2));
    await page.evaluate(readFileSync(AXE, "utf8"));
    const found = await page.evaluate(() => window.axe.run());
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: asked.shot, fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    return { violations: found.violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), wide };
  },
});

import { inPage, runEnded } from "./chromium.mjs";

async function open(page, { url, file }) {
  await page.goto(url);
  await page.locator("input[type=file]").first().setInputFiles(file);
}

await inPage({
  /** Upscales `file` and saves the result as `target`. */
  async upscale(page, asked) {
    await open(page, asked);
    const found = await runEnded(page);
    if (found.notices.length && !found.facts) return found;
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download PNG" }).click();
    const saved = await download;
    await saved.saveAs(asked.target);
    return { ...found, name: saved.suggestedFilename() };
  },
});

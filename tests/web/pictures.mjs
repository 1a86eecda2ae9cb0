import { inPage, open, runEnded } from "./chromium.mjs";

const lineAt = (page) =>
  page.locator(".work [role=slider]").getAttribute("aria-valuenow").then(Number);

await inPage({
  /** Upscales `file` and saves the result as `target`. */
  async upscale(page, asked) {
    await open(page, asked);
    const found = await runEnded(page);
    if (!found.facts) return found;
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download PNG" }).click();
    const saved = await download;
    await saved.saveAs(asked.target);
    return { ...found, name: saved.suggestedFilename() };
  },

  /** As `upscale`, with a WebGPU that gives zeros, as broken drivers do. */
  async upscaleOnBlackGpu(page, asked) {
    await page.route("**/assets/worker-*.js", async (route) => {
      const answer = await route.fetch();
      const broken = `
        const map = GPUBuffer.prototype.getMappedRange;
        GPUBuffer.prototype.getMappedRange = function (...part) {
          const bytes = map.apply(this, part);
          if (this.usage & GPUBufferUsage.MAP_READ) new Uint8Array(bytes).fill(0);
          return bytes;
        };`;
      await route.fulfill({ response: answer, body: broken + (await answer.text()) });
    });
    await open(page, asked);
    return runEnded(page);
  },

  /** Cancels a long run, then upscales with the model in `then`. */
  async cancel(page, asked) {
    await open(page, asked);
    await page.locator("progress[value]").first().waitFor();
    const begin = Date.now();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled").waitFor({ state: "attached" });
    const cancelMs = Date.now() - begin;
    const factsThen = await page.locator(".facts dt").count();
    const canSave = await page.getByRole("button", { name: "Download PNG" }).isEnabled();
    await page.getByLabel("Model", { exact: true }).selectOption(asked.then);
    return { cancelMs, factsThen, canSave, ...(await runEnded(page)) };
  },

  /** Moves the line by the mouse and by keys, zooms and pans. */
  async slider(page, asked) {
    await open(page, asked);
    await runEnded(page);
    const stage = page.locator(".work .compare");
    await stage.scrollIntoViewIfNeeded();
    const box = await stage.boundingBox();
    const at = [await lineAt(page)];
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width / 2, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 4, y, { steps: 4 });
    await page.mouse.up();
    at.push(await lineAt(page));
    for (const key of ["ArrowRight", "Shift+ArrowRight", "ArrowLeft", "Home", "End"]) {
      await page.keyboard.press(key); // the line has the focus since it was dragged
      at.push(await lineAt(page));
    }
    const place = () => page.locator(".work .after .sheet").evaluate((sheet) => sheet.style.transform);
    const fit = await place();
    await page.getByRole("button", { name: "Zoom in" }).click();
    const zoomed = await place();
    await page.mouse.move(box.x + box.width / 4, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 4 - 50, y - 30, { steps: 4 });
    await page.mouse.up();
    const panned = await place();
    await page.getByRole("button", { name: "Fit the picture" }).click();
    return { at, lineAfterPan: await lineAt(page), fit, zoomed, panned, fitAgain: await place() };
  },
});

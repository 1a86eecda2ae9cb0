import { inPage, SECONDS } from "./chromium.mjs";

const HERE = "#main section:not([hidden])";

async function playing(page) {
  await page.locator(`${HERE} .facts dt`).first().waitFor();
  return page.locator(`${HERE} .facts`).innerText();
}

async function openVideo(page, { url, file }) {
  await page.goto(url);
  await page.locator(`${HERE} .intake input`).setInputFiles(file);
  return playing(page);
}

const notices = (page) => page.locator(".notice").allInnerTexts();

await inPage({
  /** Plays `file` for a while; what the page says of it, and a pixel of the result. */
  async play(page, asked) {
    await openVideo(page, asked);
    await page.waitForTimeout(asked.seconds * SECONDS);
    return { facts: await playing(page), notices: await notices(page) };
  },

  /** Saves a clip from `from` to `to`. */
  async save(page, asked) {
    const facts = await openVideo(page, asked);
    await page.getByLabel("From, in seconds").fill(String(asked.from));
    await page.getByLabel("To, in seconds").fill(String(asked.to));
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save the clip" }).click();
    const saved = await download;
    await saved.saveAs(asked.target);
    return { facts, name: saved.suggestedFilename(), notices: await notices(page) };
  },

  /** Cancels while a clip is saved, then sees that the video plays on. */
  async cancel(page, asked) {
    await openVideo(page, asked);
    let downloads = 0;
    page.on("download", () => (downloads += 1));
    await page.getByRole("button", { name: "Save the clip" }).click();
    await page.locator(`${HERE} progress[value]`).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled").waitFor({ state: "attached" });
    await page.getByRole("button", { name: "Play", exact: true }).click();
    const shown = () => page.locator(`${HERE} .facts`).innerText();
    const before = await shown();
    await page.waitForFunction((text) => document.querySelector("section:not([hidden]) .facts").innerText !== text, before);
    return { downloads, notices: await notices(page), canSave: await page.getByRole("button", { name: "Save the clip" }).isEnabled() };
  },

  /** Records the camera with sound for a while. */
  async record(page, asked) {
    await page.goto(asked.url);
    await page.getByRole("button", { name: "Start the camera" }).click();
    const facts = await playing(page);
    await page.getByRole("button", { name: "Record", exact: true }).click();
    await page.waitForTimeout(asked.seconds * SECONDS);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: /Stop and save/ }).click();
    const saved = await download;
    await saved.saveAs(asked.target);
    await page.getByRole("button", { name: "Stop the camera" }).click();
    await page.getByRole("button", { name: "Start the camera" }).waitFor();
    return { facts, name: saved.suggestedFilename(), notices: await notices(page) };
  },
});

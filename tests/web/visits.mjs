// What a visit shows and loads, whatever is upscaled.
import { readFileSync } from "node:fs";
import { inPage, open, runEnded } from "./chromium.mjs";

const axe = readFileSync(new URL("../../web/node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

await inPage({
  /** What the first visit transfers before a model is chosen, and whence. */
  async first(page, { url }) {
    let bytes = 0;
    const addresses = [];
    const sizes = [];
    page.on("response", (answer) => {
      addresses.push(answer.url());
      sizes.push(answer.body().then((body) => (bytes += body.length)));
    });
    await page.goto(url, { waitUntil: "networkidle" });
    await Promise.all(sizes);
    return { bytes, addresses, title: await page.title() };
  },

  /** What axe finds in every state of the page. */
  async accessibility(page, asked) {
    const found = {};
    await page.goto(asked.url);
    await page.locator(".hero").waitFor();
    found.start = await violations(page);
    await page.getByRole("button", { name: "Try the example" }).click();
    await runEnded(page);
    found.picture = await violations(page);
    await page.locator("#main input[type=file]").first().setInputFiles(asked.text);
    await page.locator(".notice.is-error").waitFor();
    found.error = await violations(page);
    await page.getByRole("link", { name: "Camera" }).click();
    await page.getByRole("button", { name: "Start the camera" }).waitFor();
    found.cameraStart = await violations(page);
    await page.getByRole("link", { name: "Video" }).click();
    await page.getByText("Drop a video here").waitFor();
    found.videoStart = await violations(page);
    await page.locator("#main section:not([hidden]) .intake input").setInputFiles(asked.clip);
    await runEnded(page, "section:not([hidden])");
    found.video = await violations(page);
    return { found };
  },

  /** The order in which the keyboard reaches things, and whether the focus is seen there. */
  async focus(page, asked) {
    await page.goto(asked.url);
    await page.getByRole("button", { name: "Try the example" }).click();
    await runEnded(page);
    const after = await page.evaluate(() => document.activeElement.id);
    await page.evaluate(() => document.activeElement.blur());
    const reached = [];
    for (let n = 0; n < 18; n++) {
      await page.keyboard.press("Tab");
      reached.push(
        await page.evaluate(() => {
          const { activeElement: it } = document;
          const shown = it.matches("input[type=radio]") ? it.nextElementSibling : it;
          const grip = it.querySelector(".grip");
          const style = getComputedStyle(shown);
          const isSeen = style.outlineStyle !== "none" || (grip && getComputedStyle(grip).boxShadow.includes("6px"));
          const name = it.getAttribute("aria-label") || it.labels?.[0]?.textContent || it.textContent;
          return { name: name.trim(), isSeen: Boolean(isSeen) };
        }),
      );
    }
    return { reached, after };
  },

  /** A picture that is pasted, then one that is dropped; what the page says it is. */
  async pasteAndDrop(page, asked) {
    await page.goto(asked.url);
    await page.locator(".hero").waitFor();
    const base64 = readFileSync(asked.file).toString("base64");
    const give = (kind) =>
      page.evaluate(
        async ([kind, base64]) => {
          const blob = await (await fetch(`data:image/png;base64,${base64}`)).blob();
          const data = new DataTransfer();
          data.items.add(new File([blob], "given.png", { type: "image/png" }));
          const event =
            kind === "paste"
              ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
              : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
        },
        [kind, base64],
      );
    await give("paste");
    const { facts: pasted } = await runEnded(page);
    await page.reload();
    await page.locator(".hero").waitFor();
    await give("drop");
    const { facts: dropped, notices } = await runEnded(page);
    return { pasted, dropped, notices };
  },

  /** What the page says where it is not isolated, and what it runs on. */
  async published(page, asked) {
    await open(page, asked);
    const found = await runEnded(page);
    return { ...found, isolation: await page.locator("#isolation").innerText() };
  },

  /** What the page says on http of another machine, where browsers keep much from it. */
  async insecure(page, asked) {
    await page.goto(asked.url);
    await page.locator("#main input[type=file]").first().setInputFiles(asked.clip);
    const shown = page.locator("section:not([hidden])");
    await shown.locator(".facts dt").first().waitFor();
    const isolation = await page.locator("#isolation").innerText();
    const engines = await shown.getByLabel("Runs on").locator("option").allInnerTexts();
    await shown.getByRole("button", { name: "Save the clip" }).click();
    await page.locator(".notice.is-error").waitFor();
    return { isolation, engines, notices: await page.locator(".notice").allInnerTexts() };
  },

  /** What is said when a file is opened that cannot be. */
  async refused(page, asked) {
    await page.goto(asked.url);
    const kind = asked.url.endsWith("#video") ? ".intake input" : "input[type=file]";
    await page.locator(`#main section:not([hidden]) ${kind}`).first().setInputFiles(asked.file);
    await page.locator(".notice.is-error").waitFor();
    return { notices: await page.locator(".notice").allInnerTexts() };
  },

  /** A model file of the user's own, opened over a picture. */
  async ownModel(page, asked) {
    await open(page, asked);
    await runEnded(page);
    await page.locator(".controls input[type=file]").first().setInputFiles(asked.model);
    await page.locator(".about, .notice.is-error").getByText(asked.waitFor).first().waitFor();
    const found = await runEnded(page);
    if (!asked.target) return found;
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download PNG" }).click();
    await (await download).saveAs(asked.target);
    return found;
  },
});

/** What is shown before a picture is chosen: what this is, with an example under the line. */
import { Compare } from "../ui/compare";
import { button, element } from "../ui/dom";

/** What made the example that is shown; see examples/web_example.py. */
export const EXAMPLE_MODEL = "realtime-medium-x4";

export function hero(field: HTMLElement, openExample: () => void): HTMLElement {
  const compare = new Compare({ label: "Line between before and after of the example", tools: false });
  const picture = (name: string, alt: string): HTMLImageElement =>
    element("img", { src: new URL(name, document.baseURI).href, alt, decoding: "async", draggable: "false" });
  compare.show(
    picture("example.webp", "A raccoon's face, small and soft"),
    picture("example-x4.webp", "The same face four times as large, with sharp fur"),
    768,
    576,
  );
  return element(
    "div",
    { class: "hero" },
    element(
      "div",
      { class: "words" },
      element("h1", {}, "Larger pictures that stay sharp"),
      element(
        "p",
        { class: "lead" },
        "Small networks upscale your pictures and videos right here, on this device. Nothing is uploaded.",
      ),
      field,
      element(
        "p",
        { class: "or" },
        "Nothing at hand? ",
        button("Try the example", "link", openExample),
      ),
    ),
    element("figure", { class: "shown" }, compare.root, element("figcaption", {}, `192 × 144 pixels, ×4 by ${EXAMPLE_MODEL}. Drag the line.`)),
  );
}

/** What is shown before a picture is chosen: what this is, with an example under the line. */
import { Compare } from "../ui/compare";
import { button, element } from "../ui/dom";

export function hero(field: HTMLElement, openExample: () => void): HTMLElement {
  const compare = new Compare({ label: "Line between before and after of the example", tools: false });
  const picture = (name: string, alt: string): HTMLImageElement =>
    element("img", { src: new URL(name, document.baseURI).href, alt, decoding: "async", draggable: "false" });
  compare.show(
    picture("example.jpg", "A raccoon's face, small and soft"),
    picture("example-x4.webp", "The same face four times as large, with sharp fur"),
    1024,
    768,
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
    element("figure", { class: "shown" }, compare.root, element("figcaption", {}, "256 × 192 pixels, ×4. Drag the line.")),
  );
}

/** Ways in for a file: choose, drop anywhere on the page, paste. */
import { element, icon } from "./dom";

export interface Intake {
  root: HTMLLabelElement;
  open(): void;
}

/** A field to drop a file on or to choose one. */
export function intake(options: {
  title: string;
  detail: string;
  accept: string;
  picture: string;
  take: (file: File) => void;
}): Intake {
  const input = element("input", { type: "file", accept: options.accept, class: "hidden-input" });
  const root = element(
    "label",
    { class: "intake" },
    input,
    icon(options.picture),
    element("strong", {}, options.title),
    element("span", {}, options.detail),
  );
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) options.take(file);
    input.value = "";
  });
  return { root, open: () => input.click() };
}

/** Files dropped or pasted anywhere on the page, while `isActive`. */
export function listenForFiles(take: (file: File) => void): void {
  const body = document.body;
  let depth = 0;
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  const over = (is: boolean): void => void body.classList.toggle("is-dropping", is);
  window.addEventListener("dragenter", (event) => {
    if (hasFiles(event)) over(++depth > 0);
  });
  window.addEventListener("dragleave", (event) => {
    if (hasFiles(event)) over((depth = Math.max(0, depth - 1)) > 0);
  });
  window.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over((depth = 0) > 0);
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
  window.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) take(file);
  });
}

/** What a run was: a list of a few names and values. */
import { element } from "./dom";

export class Facts {
  readonly root = element("dl", { class: "facts" });

  /** Rows of a name, a value, and what is said beneath it. */
  show(rows: [name: string, value: string, detail: string][]): void {
    this.root.replaceChildren(
      ...rows.map(([name, value, detail]) =>
        element(
          "div",
          {},
          element("dt", {}, name),
          element("dd", {}, value, detail ? element("small", {}, detail) : null),
        ),
      ),
    );
  }

  clear(): void {
    this.root.replaceChildren();
  }
}

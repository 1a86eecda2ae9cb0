/** What a run was: a list of a few names and values. */
import type { Ran } from "../engine/messages";
import { element } from "./dom";

export type Fact = [name: string, value: string, detail: string];

export class Facts {
  readonly root = element("dl", { class: "facts" });

  /** Rows of a name, a value, and what is said beneath it. */
  show(rows: Fact[]): void {
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

/** What ran a model, and where the nodes of its network ran. */
export function ranOn({ engine, device, precision, nodes, onGpu }: Ran): Fact {
  const name = engine === "webgpu" ? "WebGPU" : "WebAssembly";
  const share = onGpu === nodes ? `all ${nodes} nodes` : `${onGpu} of ${nodes} nodes`;
  const detail = engine === "webgpu" && nodes ? `${precision}, ${share} on the GPU` : precision;
  return ["Ran on", `${name}, ${device}`, detail];
}

/** The models that lie beside the page, and how they are named for people. */
import type { ListedModel } from "./spec";

export interface Choice {
  model: ListedModel;
  group: string;
  label: string;
}

const SIZES: Record<string, string> = { nano: "Nano", small: "Small", medium: "Medium" };
const PATTERN = /^realtime-(nano|small|medium)-x\d+(-perceptual|-video)?$/;
const ORDER = ["Sharp", "Faithful", "Compressed video", "Classic", "Paint", "Your models"];

export function modelsAddress(): URL {
  return new URL("models/", document.baseURI);
}

export async function fetchModels(): Promise<ListedModel[]> {
  const answer = await fetch(new URL("index.json", modelsAddress())).catch(() => null);
  if (!answer?.ok) {
    throw new Error(
      "No models lie beside this page: serve it with `framelift web`, or publish the folder that " +
        "`framelift web --save FOLDER` writes.",
    );
  }
  const { models } = (await answer.json()) as { models: ListedModel[] };
  return models;
}

/** What the scale selector shows for a model: its scale, or that it paints. */
export function kindOf({ task, scale }: ListedModel): string {
  return task === "style" ? "Paint" : `×${scale}`;
}

export function choices(models: ListedModel[]): Choice[] {
  return models
    .map((model) => ({ model, ...words(model) }))
    .sort(
      (one, other) =>
        ORDER.indexOf(one.group) - ORDER.indexOf(other.group) ||
        other.model.parameters - one.model.parameters,
    );
}

function words({ name, task }: ListedModel): { group: string; label: string } {
  const found = PATTERN.exec(name);
  if (found) {
    const size = SIZES[found[1]!]!;
    if (found[2] === "-perceptual") return { group: "Sharp", label: `Sharp, ${size.toLowerCase()}` };
    if (found[2] === "-video") {
      return { group: "Compressed video", label: `For compressed video, ${size.toLowerCase()}` };
    }
    return { group: "Faithful", label: `Faithful, ${size.toLowerCase()}` };
  }
  if (/^johnson-x\d+$/.test(name)) return { group: "Classic", label: "Johnson et al., 2016" };
  if (task === "style") {
    return { group: "Paint", label: name.replace(/^style-/, "").replace(/^./, (c) => c.toUpperCase()) };
  }
  return { group: "Your models", label: name };
}

/** Light, dark, or as the system has it; the choice is kept in this browser. */
import { icon, ICONS } from "./dom";

type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const WORDS: Record<Theme, string> = { auto: "as the system", light: "light", dark: "dark" };
const PICTURES: Record<Theme, string> = { auto: ICONS.auto, light: ICONS.sun, dark: ICONS.moon };

export function themeButton(button: HTMLButtonElement): void {
  let theme: Theme = "auto";
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") theme = kept;
  } catch {
    // storage may be refused; the choice then lasts as long as the page
  }
  const show = (): void => {
    document.documentElement.dataset["theme"] = theme;
    button.replaceChildren(icon(PICTURES[theme]));
    button.title = `Colours: ${WORDS[theme]}`;
    button.setAttribute("aria-label", `Colours: ${WORDS[theme]}. Change to ${WORDS[NEXT[theme]]}`);
  };
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // as above
    }
    show();
  });
  show();
}

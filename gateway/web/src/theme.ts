// Light, dark, or what the device prefers; remembered on this device.

import { h } from "./dom";
import { icon } from "./icons";

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const KEY = "raffinate-theme";

export function themeButton(changed: () => void): HTMLButtonElement {
  let theme = stored();
  const button = h("button", { type: "button", class: "theme" });
  const apply = (): void => {
    document.documentElement.dataset["theme"] = theme;
    button.replaceChildren(icon(theme), h("span", { class: "hidden" }, `Theme: ${theme}. Change`));
    button.title = `Theme: ${theme}`;
    changed();
  };
  button.onclick = () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    apply();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  apply();
  return button;
}

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === value) ?? "auto";
  } catch {
    return "auto";
  }
}

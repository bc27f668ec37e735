// The pages and the way from one to another.

import { h } from "./dom";

const PAGES = {
  plant: ["/", "Plant"],
  licences: ["/licences/", "Licences"],
  calendar: ["/calendar/", "Calendar"],
  registry: ["/registry/", "Registry"],
} as const;

export type PageId = keyof typeof PAGES;

export function navigation(here: PageId): HTMLElement {
  const links = Object.entries(PAGES).map(([id, [href, name]]) =>
    h("a", id === here ? { href, "aria-current": "page" } : { href }, name),
  );
  return h("nav", { "aria-label": "Pages" }, ...links);
}

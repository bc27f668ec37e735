// The page's own icons, 16 x 16. Shape tells the state; colour only repeats it.

import { s } from "./dom";

const PATHS = {
  normal: "M3.5 8.5l3 3 6-7",
  low: "M2 4h12L8 14z",
  high: "M2 12h12L8 2z",
  failure: "M8 1a7 7 0 100 14A7 7 0 008 1zM5 5l6 6m0-6l-6 6",
  check: "M8 1l7 7-7 7-7-7zM8 5v3.5m0 1.8v.6",
  spec: "M8 1.5L15 14.5H1zM5.8 10.5h4.4",
  maintenance: "M1.5 1.5h13v13h-13zM5 8h6",
  stale: "M8 1a7 7 0 100 14A7 7 0 008 1zM8 4v4.2l3 1.8",
  absent: "M3 8h10",
  runs: "M4 2.5v11l9.5-5.5z",
  stopped: "M3.5 3.5h9v9h-9z",
  warning: "M8 1.5L15 14.5H1zM8 6v4m0 1.6v.8",
  barred: "M8 1a7 7 0 100 14A7 7 0 008 1zM3.2 3.2l9.6 9.6",
  hourglass:
    "M3.5 1.5h9M3.5 14.5h9M4.5 1.5c0 4 3.5 4.5 3.5 6.5s-3.5 2.5-3.5 6.5m7-13c0 4-3.5 4.5-3.5 6.5s3.5 2.5 3.5 6.5",
  key: "M10.5 1.5a4 4 0 100 8 4 4 0 000-8zM7.5 8.5L1.5 14.5m1.5-1.5l2 2",
  live: "M1 8h3l2-5 3.5 10L12 8h3",
  lost: "M1 8h3l1.2-3M8 12l1.5 1L12 8h3M2 2l12 12",
  auto: "M8 1.5a6.5 6.5 0 100 13zM8 1.5a6.5 6.5 0 010 13",
  light:
    "M8 5a3 3 0 100 6 3 3 0 000-6zM8 .5v2m0 11v2M.5 8h2m11 0h2M2.7 2.7l1.4 1.4m7.8 7.8l1.4 1.4m0-10.6l-1.4 1.4m-7.8 7.8l-1.4 1.4",
  dark: "M13.5 10A6 6 0 016 2.5a6 6 0 107.5 7.5z",
} as const;

export type IconName = keyof typeof PATHS;

const FILLED = new Set<IconName>(["low", "high", "runs", "stopped"]);

/** Decorative: what it says stands in words beside it or in its parent's label. */
export function icon(name: IconName): SVGSVGElement {
  const path = s("path", { d: PATHS[name], class: FILLED.has(name) ? "filled" : "lined" });
  return s(
    "svg",
    { class: `icon icon-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true", "data-icon": name },
    path,
  );
}

// The cascade as a picture: one glyph a stage above its column of values, flows between them.

import { remPx, s } from "./dom";
import type { Liquid, Place } from "./flow";

export interface Picture {
  svg: SVGSVGElement;
  /** Move a stage's interface line; `part` of the settler's height that is aqueous. */
  setLevel: (stage: string, part: number | null) => void;
}

interface Frame {
  x: number;
  column: number;
  rem: number;
  top: number;
  height: number;
}

const TITLE_REM = 1.9;
const GLYPH_REM = 3.6;
const OUTSIDE_REM = 1.8;

export function drawPicture(
  row: readonly Place[],
  headPx: number,
  columnPx: number,
  rem: number,
  label: string,
): Picture {
  const width = headPx + columnPx * row.length;
  const height = (TITLE_REM + GLYPH_REM + OUTSIDE_REM) * rem;
  const svg = s("svg", {
    class: "picture",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": label,
  });
  const levels = new Map<string, { line: SVGLineElement; below: SVGRectElement; frame: Frame }>();
  row.forEach((place, at) => {
    const frame: Frame = {
      x: headPx + at * columnPx,
      column: columnPx,
      rem,
      top: TITLE_REM * rem,
      height: GLYPH_REM * rem,
    };
    if (place.firstOfSection || at === 0) svg.append(title(row, at, frame));
    if (place.column) svg.append(ionColumn(frame));
    else {
      const glyph = mixerSettler(frame);
      svg.append(glyph.group);
      levels.set(place.stage.id, { ...glyph, frame });
    }
    svg.append(...between(place, at === 0, frame));
    svg.append(...place.liquids.map((liquid) => outside(liquid, place, frame)));
    const next = row[at + 1];
    const goesOn =
      next === undefined && !place.liquids.some((l) => l.way === "out" && l.phase === "organic");
    if (goesOn && !place.column)
      svg.append(
        arrow(
          "organic",
          edge(frame).right,
          organicY(frame),
          frame.x + frame.column,
          organicY(frame),
        ),
      );
  });
  return {
    svg,
    setLevel: (stage, part) => {
      const level = levels.get(stage);
      if (level !== undefined) moveLevel(level, part ?? 0.5);
    },
  };
}

function edge(frame: Frame): { left: number; right: number } {
  return { left: frame.x + frame.column * 0.14, right: frame.x + frame.column * 0.86 };
}

function organicY(frame: Frame): number {
  return frame.top + frame.height * 0.2;
}

function aqueousY(frame: Frame): number {
  return frame.top + frame.height * 0.84;
}

function title(row: readonly Place[], at: number, frame: Frame): SVGGElement {
  const section = row[at]?.section;
  const end = row.findIndex((place, k) => k > at && place.firstOfSection);
  const count = (end < 0 ? row.length : end) - at;
  const y = frame.rem * 1.45;
  const inset = frame.column * 0.08;
  const right = frame.x + count * frame.column - inset;
  return s(
    "g",
    { class: "section-title" },
    s("text", { x: frame.x + inset, y: frame.rem * 1.05 }, section?.name ?? ""),
    s("path", {
      class: "bracket",
      d: `M${frame.x + inset} ${y + 0.3 * frame.rem}V${y}H${right}V${y + 0.3 * frame.rem}`,
    }),
  );
}

function mixerSettler(frame: Frame): {
  group: SVGGElement;
  line: SVGLineElement;
  below: SVGRectElement;
} {
  const { left, right } = edge(frame);
  const width = right - left;
  const mixer = width * 0.3;
  const { top, height } = frame;
  const axis = left + mixer / 2;
  const line = s("line", { class: "interface", x1: left + mixer, x2: right });
  const below = s("rect", { class: "aqueous-layer", x: left + mixer, width: width - mixer });
  const group = s(
    "g",
    { class: "mixer-settler" },
    s("rect", { class: "organic-layer", x: left + mixer, y: top, width: width - mixer, height }),
    below,
    line,
    s("rect", { class: "mixed", x: left, y: top, width: mixer, height }),
    s("path", {
      class: "stirrer",
      d:
        `M${axis} ${top - 0.22 * frame.rem}V${top + height * 0.62}` +
        `M${axis - mixer * 0.28} ${top + height * 0.62}H${axis + mixer * 0.28}`,
    }),
    s("rect", { class: "shell", x: left, y: top, width, height }),
    s("line", {
      class: "baffle",
      x1: left + mixer,
      x2: left + mixer,
      y1: top,
      y2: top + height,
    }),
  );
  moveLevel({ line, below, frame }, 0.5);
  return { group, line, below };
}

function moveLevel(
  level: { line: SVGLineElement; below: SVGRectElement; frame: Frame },
  part: number,
): void {
  const { top, height } = level.frame;
  const y = (top + height * (1 - Math.min(1, Math.max(0, part)))).toFixed(1);
  if (level.line.getAttribute("y1") === y) return;
  level.line.setAttribute("y1", y);
  level.line.setAttribute("y2", y);
  level.below.setAttribute("y", y);
  level.below.setAttribute("height", (top + height - Number(y)).toFixed(1));
}

function ionColumn(frame: Frame): SVGGElement {
  const { left, right } = edge(frame);
  const x = (left + right) / 2;
  const half = Math.min(frame.column * 0.16, frame.rem * 1.1);
  return s(
    "g",
    { class: "ion-column" },
    s("rect", {
      class: "shell",
      x: x - half,
      y: frame.top,
      width: half * 2,
      height: frame.height,
      rx: half * 0.6,
    }),
    s("rect", {
      class: "resin",
      x: x - half,
      y: frame.top + frame.height * 0.22,
      width: half * 2,
      height: frame.height * 0.6,
    }),
  );
}

function between(place: Place, firstOfRow: boolean, frame: Frame): SVGElement[] {
  const { left } = edge(frame);
  const gap = frame.column * 0.28;
  const from = firstOfRow ? frame.x - gap / 2 : left - gap;
  const drawn: SVGElement[] = [];
  if (place.column) {
    if (place.fromPrevious) drawn.push(columnToColumn(frame));
    return drawn;
  }
  if (place.fromPrevious)
    drawn.push(arrow("organic", from, organicY(frame), left, organicY(frame)));
  if (place.toPrevious) drawn.push(arrow("aqueous", left, aqueousY(frame), from, aqueousY(frame)));
  return drawn;
}

/** From the foot of the column before to the head of this one. */
function columnToColumn(frame: Frame): SVGGElement {
  const middle = frame.x + frame.column / 2;
  const before = middle - frame.column;
  const foot = frame.top + frame.height;
  const down = foot + 0.4 * frame.rem;
  const up = frame.top - 0.35 * frame.rem;
  const turn = frame.x;
  return s(
    "g",
    { class: "flow aqueous" },
    s("path", { d: `M${before} ${foot}V${down}H${turn}V${up}H${middle}V${frame.top}` }),
    head(middle, frame.top, 0, 1),
  );
}

function outside(liquid: Liquid, place: Place, frame: Frame): SVGGElement {
  const { left, right } = edge(frame);
  const { rem } = frame;
  if (liquid.phase === "organic") {
    const y = organicY(frame);
    if (liquid.way === "in") {
      const from = left - frame.column * 0.14 - 1.6 * rem;
      return s(
        "g",
        {},
        arrow("organic", from, y, left, y),
        s("text", { x: from - 0.4 * rem, y: y + 0.3 * rem, class: "end" }, liquid.label),
      );
    }
    // It turns up past the end of the section's bracket, where there is room for its name.
    const turn = frame.x + frame.column * 0.955;
    return s(
      "g",
      {},
      s("g", { class: "flow organic" }, s("line", { x1: right, y1: y, x2: turn + 1.5, y2: y })),
      arrow("organic", turn, y, turn, 0.4 * rem),
      s("text", { x: turn - 0.6 * rem, y: 1.05 * rem, class: "end" }, liquid.label),
    );
  }
  if (place.column && liquid.way === "in") {
    const x = frame.x + frame.column / 2;
    const from = frame.top - 0.6 * rem;
    return s(
      "g",
      {},
      arrow("aqueous", x, from, x, frame.top),
      s("text", { x: x - 0.5 * rem, y: from + 0.3 * rem, class: "end" }, liquid.label),
    );
  }
  const foot = frame.top + frame.height;
  const far = foot + 1.35 * rem;
  const inward = liquid.way === "in";
  const x = place.column
    ? frame.x + frame.column / 2
    : inward
      ? right - frame.column * 0.1
      : left + frame.column * 0.1;
  const text = s(
    "text",
    {
      x: inward ? x - 0.5 * rem : x + 0.5 * rem,
      y: foot + 1.15 * rem,
      class: inward ? "end" : "start",
    },
    liquid.label,
  );
  return s(
    "g",
    {},
    inward ? arrow("aqueous", x, far, x, foot) : arrow("aqueous", x, foot, x, far),
    text,
  );
}

function arrow(phase: string, x1: number, y1: number, x2: number, y2: number): SVGGElement {
  const rem = remPx();
  const length = Math.hypot(x2 - x1, y2 - y1);
  const dx = (x2 - x1) / length;
  const dy = (y2 - y1) / length;
  return s(
    "g",
    { class: `flow ${phase}` },
    s("line", { x1, y1, x2: x2 - dx * rem * 0.3, y2: y2 - dy * rem * 0.3 }),
    head(x2, y2, dx, dy),
  );
}

function head(x: number, y: number, dx: number, dy: number): SVGPathElement {
  const length = remPx() * 0.5;
  const half = remPx() * 0.28;
  const bx = x - dx * length;
  const by = y - dy * length;
  return s("path", {
    class: "head",
    d: `M${x} ${y}L${bx - dy * half} ${by + dx * half}L${bx + dy * half} ${by - dx * half}Z`,
  });
}

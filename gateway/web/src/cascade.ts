// The cascade: wide, a picture with a column of values a stage; narrow, a row a stage.

import { Cell } from "./cells";
import { h, remPx, s } from "./dom";
import { rowsOf, type Place } from "./flow";
import { drawPicture, type Picture } from "./picture";
import { Profile } from "./profile";
import type { Condition } from "./judge";
import type { Store } from "./store";
import type { Point } from "./types";
import { compareQuantities, quantityName, quantityShort, scaleOf } from "./units";

const HEAD_REM = 10.5;
const COLUMN_REM_MIN = 5;
/** In narrower columns reasons and ages are left to the line above and the trend. */
const NOTES_REM_MIN = 6;
const NARROW_PX = 700;
const PROFILED = ["ph", "cond"];

export class Cascade {
  readonly element = h("section", { class: "cascade", "aria-label": "Cascade" });
  private cells = new Map<string, Cell>();
  private pictures: Picture[] = [];
  private profiles: Profile[] = [];
  private layout = "";
  private selected: string | null = null;

  constructor(
    private readonly store: Store,
    private readonly select: (point: string) => void,
  ) {
    this.element.addEventListener("keydown", (event) => {
      this.onKey(event);
    });
    this.element.addEventListener("click", (event) => {
      const cell = cellOf(event.target);
      if (cell !== null) this.choose(cell);
    });
    new ResizeObserver(() => {
      this.lay();
    }).observe(this.element);
  }

  /** Bring every value up to date; the number of points in each condition. */
  update(): Map<Condition, number> {
    const counts = new Map<Condition, number>();
    for (const cell of this.cells.values()) {
      const condition = cell.update(this.store);
      counts.set(condition, (counts.get(condition) ?? 0) + 1);
    }
    for (const place of this.store.places) {
      const level = this.store.samples.get(`${place.stage.id}/level`)?.value ?? null;
      for (const picture of this.pictures) picture.setLevel(place.stage.id, level);
    }
    for (const profile of this.profiles) profile.update();
    return counts;
  }

  /** Mark the point whose trend is shown. */
  mark(point: string): void {
    this.selected = point;
    for (const [id, cell] of this.cells) {
      cell.element.setAttribute("aria-selected", String(id === point));
    }
    this.setTabStop(this.cells.get(point)?.element);
  }

  private lay(): void {
    const width = this.element.clientWidth;
    const rem = remPx();
    const most = Math.floor((width - HEAD_REM * rem) / (COLUMN_REM_MIN * rem));
    const narrow = innerWidth < NARROW_PX || most < 4;
    const layout = narrow ? "narrow" : `${width} ${rem}`;
    if (layout === this.layout || width === 0) return;
    this.layout = layout;
    this.cells = new Map();
    this.pictures = [];
    this.profiles = [];
    if (narrow)
      this.element.replaceChildren(this.list(), ...this.profilesOf(this.store.places, null));
    else this.element.replaceChildren(...this.bands(width, rem, most));
    this.update();
    this.mark(this.selected ?? [...this.cells.keys()][0] ?? "");
  }

  private bands(width: number, rem: number, most: number): HTMLElement[] {
    const rows = rowsOf(this.store.places, most);
    const head = HEAD_REM * rem;
    const longest = Math.max(...rows.map((row) => row.length));
    const column = Math.floor((width - head) / longest);
    return rows.map((row) => {
      const picture = drawPicture(row, head, column, rem, pictureLabel(row));
      this.pictures.push(picture);
      const table = this.stagesAcross(row);
      if (column < NOTES_REM_MIN * rem) table.classList.add("tight");
      const legend = h("p", { class: "legend" }, ...legendWords());
      const band = h(
        "div",
        { class: "band" },
        legend,
        picture.svg,
        table,
        ...this.profilesOf(row, head),
      );
      band.style.width = `${head + column * row.length}px`;
      return band;
    });
  }

  private profilesOf(row: readonly Place[], gutter: number | null): HTMLElement[] {
    const made = PROFILED.filter((name) => Profile.shows(name, row)).map(
      (name) => new Profile(this.store, name, row, gutter),
    );
    this.profiles.push(...made);
    return made.map((profile) => profile.element);
  }

  private stagesAcross(row: readonly Place[]): HTMLTableElement {
    const names = quantities(row);
    const columns = row.map((place) =>
      h("th", { scope: "col", class: place.firstOfSection ? "first" : "" }, place.stage.id),
    );
    const body = names.map((name) => {
      const unit = unitOf(row, name);
      const title = h("th", { scope: "row" }, quantityName(name));
      if (unit !== "") title.append(" ", h("span", { class: "unit" }, unit));
      return h(
        "tr",
        {},
        title,
        ...row.map((place) => this.cell(place, name, place.firstOfSection)),
      );
    });
    return h(
      "table",
      { class: "values across", role: "grid", "aria-label": `Values of ${rangeText(row)}` },
      h("colgroup", {}, h("col", { class: "head" }), ...row.map(() => h("col"))),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Stage"), ...columns)),
      h("tbody", {}, ...body),
    );
  }

  private list(): HTMLTableElement {
    const all = this.store.places;
    const names = quantities(all);
    const heads = names.map((name) => {
      const unit = unitOf(all, name);
      const title = h("th", { scope: "col" }, quantityShort(name));
      if (unit !== "") title.append(h("span", { class: "unit" }, unit));
      return title;
    });
    const rows: HTMLTableRowElement[] = [];
    for (const place of all) {
      if (place.firstOfSection) {
        rows.push(
          h(
            "tr",
            { class: "section-row" },
            h("th", { scope: "rowgroup", colspan: names.length + 1 }, place.section.name),
          ),
        );
      }
      rows.push(...liquidRows(place, false, names.length));
      rows.push(
        h(
          "tr",
          {},
          h("th", { scope: "row" }, spine(place)),
          ...names.map((name) => this.cell(place, name, false)),
        ),
      );
      rows.push(...liquidRows(place, true, names.length));
    }
    return h(
      "table",
      { class: "values down", role: "grid", "aria-label": "Values of all stages in flow order" },
      h("caption", { class: "legend" }, ...legendWords()),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Stage"), ...heads)),
      h("tbody", {}, ...rows),
    );
  }

  private cell(place: Place, name: string, first: boolean): HTMLTableCellElement {
    const point = place.stage.points.find((candidate) => candidate.name === name);
    const info = point === undefined ? undefined : this.store.points.get(point.id);
    if (info === undefined) return h("td", { class: first ? "first" : "" });
    const cell = new Cell(info);
    if (first) cell.element.classList.add("first");
    this.cells.set(info.point.id, cell);
    return cell.element;
  }

  private choose(cell: HTMLElement): void {
    const point = cell.dataset["point"];
    if (point !== undefined) this.select(point);
  }

  private onKey(event: KeyboardEvent): void {
    const cell = cellOf(event.target);
    if (cell === null) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose(cell);
      return;
    }
    const to = neighbour(cell, event.key);
    if (to === undefined) return;
    event.preventDefault();
    this.setTabStop(to);
    to.focus();
  }

  private setTabStop(stop: HTMLElement | undefined): void {
    if (stop === undefined) return;
    for (const cell of this.cells.values()) cell.element.tabIndex = cell.element === stop ? 0 : -1;
  }
}

/** What the small circle beside a value means. */
function legendWords(): (Node | string)[] {
  return [h("span", { class: "ring" }), " provisional: no signed statement covers it yet"];
}

function quantities(row: readonly Place[]): string[] {
  const names = new Set(row.flatMap((place) => place.stage.points.map((point) => point.name)));
  return [...names].sort(compareQuantities);
}

function unitOf(row: readonly Place[], name: string): string {
  const point = row
    .flatMap((place): Point[] => place.stage.points)
    .find((candidate) => candidate.name === name);
  const unit = scaleOf(point?.unit ?? "").unit;
  return unit === "pH" ? "" : unit;
}

function rangeText(row: readonly Place[]): string {
  return `${row[0]?.stage.id ?? ""} to ${row.at(-1)?.stage.id ?? ""}`;
}

function pictureLabel(row: readonly Place[]): string {
  const liquids = row.flatMap((place) =>
    place.liquids.map(
      (l) => `${l.label} ${l.way === "in" ? "enters" : "leaves"} at ${place.stage.id}`,
    ),
  );
  return (
    `Stages ${rangeText(row)} in flow order. ` +
    `Organic flows from left to right, aqueous from right to left. ${liquids.join(". ")}.`
  );
}

/** A stage of the narrow list: its box between the organic (down) and the aqueous (up). */
function spine(place: Place): HTMLElement {
  const svg = s("svg", { class: "spine", viewBox: "0 0 56 40", "aria-hidden": "true" });
  const down = place.fromPrevious || place.column;
  svg.append(s("rect", { class: "shell", x: 4, y: 9, width: 46, height: 22 }));
  if (down) {
    svg.append(
      s(
        "g",
        { class: `flow ${place.column ? "aqueous" : "organic"}` },
        s("line", { x1: 15, y1: 0, x2: 15, y2: 4 }),
        s("path", { class: "head", d: "M15 9l-4-6h8z" }),
      ),
    );
  }
  if (place.toPrevious) {
    svg.append(
      s(
        "g",
        { class: "flow aqueous" },
        s("line", { x1: 40, y1: 9, x2: 40, y2: 5 }),
        s("path", { class: "head", d: "M40 0l-4 6h8z" }),
      ),
    );
  }
  svg.append(s("text", { x: 27, y: 25 }, place.stage.id));
  return h(
    "span",
    { class: "spine-box" },
    svg as unknown as Node,
    h("span", { class: "hidden" }, place.stage.id),
  );
}

function liquidRows(place: Place, after: boolean, width: number): HTMLTableRowElement[] {
  return place.liquids
    .filter((l) => after === ((l.phase === "aqueous") === (l.way === "in")))
    .map((l) =>
      h(
        "tr",
        { class: "liquid-row" },
        h(
          "td",
          { colspan: width + 1 },
          `${l.label}${/ (in|out)$/.test(l.label) ? "" : l.way === "in" ? " in" : " out"}`,
        ),
      ),
    );
}

function cellOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>("td.cell") : null;
}

function neighbour(cell: HTMLElement, key: string): HTMLElement | undefined {
  const row = cell.closest("tr");
  const table = cell.closest("table");
  if (row === null || table === null) return undefined;
  const inRow = [...row.querySelectorAll<HTMLElement>("td.cell")];
  const at = inRow.indexOf(cell);
  if (key === "ArrowRight") return inRow[at + 1];
  if (key === "ArrowLeft") return inRow[at - 1];
  if (key === "Home") return inRow[0];
  if (key === "End") return inRow.at(-1);
  if (key !== "ArrowDown" && key !== "ArrowUp") return undefined;
  const rows = [...table.querySelectorAll("tbody tr")].filter((r) => r.querySelector("td.cell"));
  const other = rows[rows.indexOf(row) + (key === "ArrowDown" ? 1 : -1)];
  return other?.querySelectorAll<HTMLElement>("td.cell")[at];
}

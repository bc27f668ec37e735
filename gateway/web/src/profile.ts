// A quantity against the stages in flow order, with each stage's normal band in grey.
// Each section has a scale of its own: a shift of 0.3 pH must be seen beside a strip of 3 M acid.

import uPlot from "uplot";
import { colour, Fitted, font } from "./charts";
import { h, remPx } from "./dom";
import type { Place } from "./flow";
import type { Condition } from "./judge";
import type { PointInfo, Store } from "./store";
import { INCREMENTS, padded, tickTexts } from "./ticks";
import { quantityName, scaleOf, toShown } from "./units";

interface Column {
  info: PointInfo | undefined;
  value: number | null;
  condition: Condition;
}

interface Run {
  scale: string;
  first: number;
  last: number;
}

/** One chart of the quantity `name` over `places`. */
export class Profile {
  readonly element: HTMLElement;
  private readonly fitted: Fitted;
  private readonly runs: Run[];
  /** Room for the scales left of each section, in columns. */
  private readonly margin: number;
  private columns: Column[] = [];
  private drawn = "";

  /** With a `gutter` (px) the chart stands under a table whose first column is as wide. */
  constructor(
    private readonly store: Store,
    private readonly name: string,
    private readonly places: readonly Place[],
    private readonly gutter: number | null,
  ) {
    this.runs = runsOf(places);
    this.margin = gutter === null ? 1.5 : 0;
    const unit = scaleOf(this.firstInfo()?.point.unit ?? "").unit;
    const title = h("figcaption", {}, quantityName(name), " ");
    title.append(h("span", { class: "unit" }, unit === "pH" ? "" : unit));
    if (this.runs.length > 1) title.append(h("small", {}, "scale per section"));
    const box = h("div", {
      class: "chart",
      role: "img",
      "aria-label": `${quantityName(name)} along the stages; the table above holds the same values`,
    });
    this.element = h("figure", { class: `profile profile-${name}` }, title, box);
    this.fitted = new Fitted(box, (width, height) => this.make(box, width, height));
  }

  static shows(name: string, places: readonly Place[]): boolean {
    return places.some((place) => place.stage.points.some((point) => point.name === name));
  }

  update(): void {
    this.columns = this.places.map((place) => {
      const info = this.store.points.get(`${place.stage.id}/${this.name}`);
      if (info === undefined) return { info, value: null, condition: "absent" };
      const value = this.store.samples.get(info.point.id)?.value ?? null;
      const condition = this.store.condition(info);
      const usable = value !== null && condition !== "stale";
      return { info, value: usable ? toShown(scaleOf(info.point.unit), value) : null, condition };
    });
    const plot = this.fitted.fit();
    const key = this.columns.map((c) => `${c.value ?? ""}${c.condition}`).join();
    if (plot === null || key === this.drawn) return;
    this.drawn = key;
    plot.setData(this.data());
  }

  private firstInfo(): PointInfo | undefined {
    for (const place of this.places) {
      const info = this.store.points.get(`${place.stage.id}/${this.name}`);
      if (info !== undefined) return info;
    }
    return undefined;
  }

  /** Where the column `at` stands on the x scale. */
  private x(at: number): number {
    const before = this.runs.findIndex((run) => at <= run.last);
    return at + this.margin * before;
  }

  private runColumns(run: Run): Column[] {
    return this.columns.slice(run.first, run.last + 1);
  }

  private data(): uPlot.AlignedData {
    const xs = this.places.map((_, at) => this.x(at));
    return [
      xs,
      ...this.runs.map((run) =>
        this.columns.map(({ value }, at) => (at >= run.first && at <= run.last ? value : null)),
      ),
    ];
  }

  private make(box: HTMLElement, width: number, height: number): uPlot {
    const rem = remPx();
    const end = this.x(this.places.length - 1) + 0.5;
    const scales: uPlot.Scales = {
      x: { time: false, range: () => [-0.5 - this.margin, end] },
    };
    for (const run of this.runs) {
      scales[run.scale] = {
        range: () =>
          padded(
            this.runColumns(run).flatMap((c) => [c.value, ...bandOf(c)]),
            0.1,
          ),
      };
    }
    const foot = this.gutter === null ? rem * 1.5 : rem * 0.3;
    const line = { stroke: colour("line"), width: rem * 0.1, points: { show: false } };
    return new uPlot(
      {
        width,
        height,
        padding: [rem * 0.4, 0, foot, this.gutter ?? 0],
        legend: { show: false },
        cursor: { show: false },
        scales,
        axes: [{ show: false }, { show: false }],
        series: [{}, ...this.runs.map((run) => ({ ...line, scale: run.scale }))],
        hooks: {
          drawClear: [
            (u) => {
              for (const run of this.runs) this.drawGround(u, run, rem);
              if (this.gutter === null) this.drawStages(u, rem);
            },
          ],
          draw: [
            (u) => {
              for (const run of this.runs) this.drawMarks(u, run, rem);
            },
          ],
        },
      },
      this.data(),
      box,
    );
  }

  /** A section's normal bands, grid lines and scale. */
  private drawGround(u: uPlot, run: Run, rem: number): void {
    const { ctx, bbox } = u;
    const step = u.valToPos(1, "x", true) - u.valToPos(0, "x", true);
    const left = u.valToPos(this.x(run.first) - 0.5 - this.margin, "x", true);
    const right = u.valToPos(this.x(run.last) + 0.5, "x", true);
    ctx.save();
    ctx.fillStyle = colour("band");
    this.runColumns(run).forEach((column, k) => {
      const [low, high] = bandOf(column);
      if (low === undefined || high === undefined) return;
      const top = u.valToPos(high, run.scale, true);
      const x = u.valToPos(this.x(run.first + k) - 0.5, "x", true);
      ctx.fillRect(x, top, step, u.valToPos(low, run.scale, true) - top);
    });
    const ticks = ticksOf(u.scales[run.scale], bbox.height / (rem * 1.9 * devicePixelRatio));
    ctx.font = font(0.75 * devicePixelRatio);
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    tickTexts(ticks).forEach((text, k) => {
      const y = Math.round(u.valToPos(ticks[k] ?? 0, run.scale, true));
      ctx.fillStyle = colour("grid-strong");
      ctx.fillRect(left, y, right - left, 1);
      if (y - bbox.top < rem * 0.8 * devicePixelRatio) return;
      ctx.fillStyle = colour("muted");
      ctx.fillText(text, left + rem * 0.3 * devicePixelRatio, y);
    });
    if (run.first > 0) {
      ctx.fillStyle = colour("rule");
      ctx.fillRect(left, bbox.top, devicePixelRatio, bbox.height);
    }
    ctx.restore();
  }

  /** Stage names under the chart, as many as fit. */
  private drawStages(u: uPlot, rem: number): void {
    const { ctx, bbox } = u;
    const step = Math.abs(u.valToPos(1, "x", true) - u.valToPos(0, "x", true));
    const every = Math.max(1, Math.ceil((rem * 2 * devicePixelRatio) / step));
    ctx.save();
    ctx.font = font(0.75 * devicePixelRatio);
    ctx.fillStyle = colour("muted");
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    for (const run of this.runs) {
      for (let at = run.first; at <= run.last; at += every) {
        const x = u.valToPos(this.x(at), "x", true);
        const y = bbox.top + bbox.height + rem * 0.25 * devicePixelRatio;
        ctx.fillText(this.places[at]?.stage.id ?? "", x, y);
      }
    }
    ctx.restore();
  }

  /** Normal stages are dots; others are larger and triangles that point where the value went. */
  private drawMarks(u: uPlot, run: Run, rem: number): void {
    const radius = rem * 0.2 * devicePixelRatio;
    u.ctx.save();
    this.runColumns(run).forEach((column, k) => {
      if (column.value === null) return;
      const x = u.valToPos(this.x(run.first + k), "x", true);
      const y = u.valToPos(column.value, run.scale, true);
      const normal = column.condition === "normal";
      u.ctx.fillStyle = colour(normal ? "line" : "alarm-line");
      u.ctx.beginPath();
      if (normal) u.ctx.arc(x, y, radius, 0, Math.PI * 2);
      else triangle(u.ctx, x, y, radius * 2.2, column.condition === "low");
      u.ctx.fill();
    });
    u.ctx.restore();
  }
}

function runsOf(places: readonly Place[]): Run[] {
  const runs: Run[] = [];
  places.forEach((place, at) => {
    const run = runs.at(-1);
    if (run === undefined || place.firstOfSection) {
      runs.push({ scale: `y${at}`, first: at, last: at });
    } else run.last = at;
  });
  return runs;
}

function ticksOf(scale: uPlot.Scale | undefined, most: number): number[] {
  const low = scale?.min ?? 0;
  const high = scale?.max ?? 0;
  const step = INCREMENTS.find((increment) => (high - low) / increment <= most);
  if (step === undefined || high <= low) return [];
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) ticks.push(k * step);
  return ticks;
}

function bandOf(column: Column): number[] {
  const point = column.info?.point;
  if (point === undefined || point.normal === null) return [];
  const scale = scaleOf(point.unit);
  return point.normal.map((value) => toShown(scale, value));
}

function triangle(
  ctx: CanvasRenderingContext2D,
  x: number,
  y: number,
  size: number,
  down: boolean,
): void {
  const sign = down ? 1 : -1;
  ctx.moveTo(x, y + sign * size * 0.7);
  ctx.lineTo(x - size * 0.8, y - sign * size * 0.6);
  ctx.lineTo(x + size * 0.8, y - sign * size * 0.6);
  ctx.closePath();
}

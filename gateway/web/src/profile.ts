// A quantity against the stages in flow order, with each stage's normal band in grey.

import uPlot from "uplot";
import { axis, colour, Fitted, padded } from "./charts";
import { h, remPx } from "./dom";
import type { Condition } from "./judge";
import type { PointInfo, Store } from "./store";
import { formatNumber, quantityName, scaleOf, toShown } from "./units";

interface Column {
  stage: string;
  info: PointInfo | undefined;
  value: number | null;
  condition: Condition;
}

/** One chart of the quantity `name`. */
export class Profile {
  readonly element: HTMLElement;
  private readonly fitted: Fitted;
  private columns: Column[] = [];
  private drawn = "";

  constructor(
    private readonly store: Store,
    private readonly name: string,
  ) {
    const unit = scaleOf(this.infos()[0]?.point.unit ?? "").unit;
    const title = unit === "pH" ? "pH" : `${quantityName(name)}, ${unit}`;
    const box = h("div", {
      class: "chart",
      role: "img",
      "aria-label": `${title} along the stages; the table of the cascade holds the same values`,
    });
    this.element = h("figure", { class: "profile" }, h("figcaption", {}, title), box);
    this.fitted = new Fitted(box, (width, height) => this.make(box, width, height));
  }

  update(): void {
    this.columns = this.store.places.map((place) => {
      const info = this.store.points.get(`${place.stage.id}/${this.name}`);
      const sample = info === undefined ? undefined : this.store.samples.get(info.point.id);
      const value = sample?.value ?? null;
      return {
        stage: place.stage.id,
        info,
        value:
          info === undefined || value === null ? null : toShown(scaleOf(info.point.unit), value),
        condition: info === undefined ? "absent" : this.store.condition(info),
      };
    });
    const plot = this.fitted.fit();
    const key = this.columns.map((c) => `${c.value ?? ""}${c.condition}`).join();
    if (plot === null || key === this.drawn) return;
    this.drawn = key;
    plot.setData(this.data());
  }

  private infos(): PointInfo[] {
    return [...this.store.points.values()].filter((info) => info.point.name === this.name);
  }

  private data(): uPlot.AlignedData {
    return [
      this.columns.map((_, at) => at),
      this.columns.map((column) => (column.condition === "stale" ? null : column.value)),
    ];
  }

  private band(column: Column): [number, number] | null {
    const point = column.info?.point;
    if (point === undefined || point.normal === null) return null;
    const scale = scaleOf(point.unit);
    return [toShown(scale, point.normal[0]), toShown(scale, point.normal[1])];
  }

  private make(box: HTMLElement, width: number, height: number): uPlot {
    const rem = remPx();
    const decimals = this.infos()[0]?.decimals ?? 2;
    const last = Math.max(1, this.store.places.length - 1);
    const every = Math.max(1, Math.ceil((this.store.places.length * 2.4 * rem) / width));
    return new uPlot(
      {
        width,
        height,
        padding: [rem * 0.4, rem * 0.6, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: () => [-0.5, last + 0.5] },
          y: {
            range: () =>
              padded(
                this.columns.flatMap((c) => [c.value, ...(this.band(c) ?? [])]),
                0.1,
              ),
          },
        },
        axes: [
          axis({
            size: rem * 1.6,
            splits: () => this.store.places.map((_, at) => at).filter((at) => at % every === 0),
            values: (_, splits) => splits.map((at) => this.store.places[at]?.stage.id ?? ""),
          }),
          axis({
            size: rem * 3.2,
            space: rem * 2,
            values: (_, splits) => splits.map((v) => formatNumber(v, Math.min(decimals, 1))),
          }),
        ],
        series: [{}, { stroke: colour("line"), width: rem * 0.12, points: { show: false } }],
        hooks: {
          drawClear: [
            (u) => {
              this.drawBands(u);
            },
          ],
          draw: [
            (u) => {
              this.drawMarks(u, rem);
            },
          ],
        },
      },
      this.data(),
      box,
    );
  }

  private drawBands(u: uPlot): void {
    const step = Math.abs(u.valToPos(1, "x", true) - u.valToPos(0, "x", true));
    u.ctx.save();
    u.ctx.fillStyle = colour("band");
    this.columns.forEach((column, at) => {
      const band = this.band(column);
      if (band === null) return;
      const x = u.valToPos(at, "x", true) - step * 0.5;
      const top = u.valToPos(band[1], "y", true);
      u.ctx.fillRect(x, top, step, u.valToPos(band[0], "y", true) - top);
    });
    u.ctx.restore();
  }

  /** Normal stages are dots; others are larger, of the condition's colour, and named. */
  private drawMarks(u: uPlot, rem: number): void {
    const pixel = devicePixelRatio;
    const radius = rem * 0.2 * pixel;
    u.ctx.save();
    u.ctx.textAlign = "center";
    u.ctx.font = `bold ${rem * 0.78 * pixel}px ${getComputedStyle(document.body).fontFamily}`;
    this.columns.forEach((column, at) => {
      if (column.value === null || column.condition === "stale") return;
      const x = u.valToPos(at, "x", true);
      const y = u.valToPos(column.value, "y", true);
      const normal = column.condition === "normal";
      u.ctx.fillStyle = colour(normal ? "line" : "alarm-line");
      u.ctx.beginPath();
      if (normal) u.ctx.arc(x, y, radius, 0, Math.PI * 2);
      else triangle(u.ctx, x, y, radius * 2, column.condition === "low");
      u.ctx.fill();
      if (!normal) {
        u.ctx.fillStyle = colour("text");
        u.ctx.fillText(column.stage, x, y + (column.condition === "low" ? -2 : 3.4) * radius);
      }
    });
    u.ctx.restore();
  }
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

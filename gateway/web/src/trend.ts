// One point over time: the mean as a line in the band from minimum to maximum.

import uPlot from "uplot";
import { axis, colour, Fitted } from "./charts";
import { h, remPx, setText } from "./dom";
import { bandText, describe } from "./judge";
import { formatChoice, parseChoice, refreshMs, SPANS, windowAt, BUCKETS, type Span } from "./span";
import type { PointInfo, Store } from "./store";
import type { History } from "./types";
import { INCREMENTS, padded, tickTexts } from "./ticks";
import { compareQuantities, formatNumber, quantityName, scaleOf, toShown } from "./units";

type Column = (number | null)[];

export class Trend {
  readonly element: HTMLElement;
  private readonly now = h("p", { class: "trend-now" });
  private readonly readout = h("p", { class: "readout", "aria-live": "off" });
  private readonly box = h("div", {
    class: "chart",
    tabindex: 0,
    role: "img",
    "aria-label": "Trend, not loaded yet",
  });
  private readonly stages = h("select", { "aria-label": "Stage" });
  private readonly names = h("select", { "aria-label": "Quantity" });
  private readonly fitted: Fitted;
  private span: Span;
  private info: PointInfo | null = null;
  private data: [number[], Column, Column, Column] = [[], [], [], []];
  private dueMs = 0;
  private asked = 0;

  constructor(
    private readonly store: Store,
    private readonly chosen: (point: string) => void,
  ) {
    const known = (point: string): boolean => store.points.has(point);
    const choice = parseChoice(location.hash, known);
    this.span = choice.span;
    this.element = h(
      "section",
      { class: "panel trend", "aria-label": "Trend" },
      h(
        "div",
        { class: "panel-head" },
        h("h2", {}, "Trend"),
        this.stages,
        this.names,
        this.spans(),
      ),
      this.now,
      this.box,
      this.readout,
    );
    this.stages.append(...store.places.map((place) => option(place.stage.id, place.stage.id)));
    this.stages.onchange = () => {
      this.showNearest();
    };
    this.names.onchange = () => {
      this.showNearest();
    };
    this.box.onkeydown = (event) => {
      this.onKey(event);
    };
    this.fitted = new Fitted(this.box, (width, height) => this.make(width, height));
    addEventListener("hashchange", () => {
      const next = parseChoice(location.hash, known);
      if (next.point !== null && next.point !== this.info?.point.id) this.show(next.point);
    });
    const first = choice.point ?? [...store.points.keys()][0];
    if (first !== undefined) this.show(first);
  }

  /** Show a point by id. */
  show(point: string): void {
    const info = this.store.points.get(point);
    if (info === undefined) return;
    this.info = info;
    this.stages.value = info.place.stage.id;
    const names = info.place.stage.points.map((p) => p.name).sort(compareQuantities);
    this.names.replaceChildren(...names.map((name) => option(name, quantityName(name))));
    this.names.value = info.point.name;
    this.data = [[], [], [], []];
    this.restart();
    this.chosen(point);
  }

  /** Called each second: the value in words, and new data when due. */
  update(): void {
    if (this.info === null) return;
    const { point, decimals } = this.info;
    const sample = this.store.samples.get(point.id);
    const condition = this.store.condition(this.info);
    const provisional = this.store.provisional(this.info) ? ", provisional" : "";
    const words = describe(point, sample, condition, this.store.nowMs(), decimals) + provisional;
    const unit = scaleOf(point.unit).unit;
    const normal =
      point.normal === null
        ? ""
        : `; normal ${bandText(point, decimals)} ${unit === "pH" ? "" : unit}`;
    setText(this.now, condition === "low" || condition === "high" ? words : `${words}${normal}`);
    this.now.dataset["condition"] = condition;
    // Before the first event the gateway's time, and so the window, is not known.
    if (this.store.heardOf && this.store.nowMs() >= this.dueMs && !document.hidden)
      void this.load();
    this.fitted.fit();
  }

  private restart(): void {
    if (this.info === null) return;
    history.replaceState(null, "", formatChoice(this.info.point.id, this.span));
    this.dueMs = 0;
    setText(this.readout, "");
    this.fitted.renew();
    this.update();
  }

  private showNearest(): void {
    const id = `${this.stages.value}/${this.names.value}`;
    const place = this.store.places.find((p) => p.stage.id === this.stages.value);
    this.show(this.store.points.has(id) ? id : (place?.stage.points[0]?.id ?? ""));
  }

  private async load(): Promise<void> {
    const info = this.info;
    if (info === null) return;
    this.asked += 1;
    const turn = this.asked;
    this.dueMs = this.store.nowMs() + refreshMs(this.span);
    const { fromMs, toMs } = windowAt(this.span, this.store.nowMs());
    const query = new URLSearchParams({
      point: info.point.id,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      buckets: String(BUCKETS),
    });
    try {
      const response = await fetch(`/api/v1/history?${query.toString()}`);
      const body = (await response.json()) as History & { detail?: string };
      // A slow answer to an earlier question must not overwrite a later one.
      if (turn !== this.asked) return;
      if (!response.ok) throw new Error(body.detail ?? `the gateway answered ${response.status}`);
      this.take(info, body);
    } catch (error) {
      if (turn !== this.asked) return;
      const reason = error instanceof Error ? error.message : String(error);
      setText(this.readout, `The trend could not be loaded: ${reason}`);
    }
  }

  private take(info: PointInfo, body: History): void {
    const scale = scaleOf(info.point.unit);
    const shown = (values: Column): Column =>
      values.map((value) => (value === null ? null : toShown(scale, value)));
    const from = Date.parse(body.from);
    this.data = [
      body.mean.map((_, at) => (from + at * body.width_ms) / 1000),
      shown(body.max),
      shown(body.min),
      shown(body.mean),
    ];
    this.fitted.fit()?.setData(this.data);
    const held = body.count.some((count) => count > 0);
    if (!held) setText(this.readout, "No values in this span.");
    else if (this.readout.textContent.startsWith("No values")) setText(this.readout, "");
    this.box.setAttribute(
      "aria-label",
      `${info.point.id} over ${this.span.name}` +
        (held
          ? `, from ${this.extreme(2, Math.min)} to ${this.extreme(1, Math.max)}`
          : ", no values"),
    );
  }

  private extreme(column: 1 | 2, pick: (...values: number[]) => number): string {
    const values = this.data[column].filter((value) => value !== null);
    return formatNumber(pick(...values), this.info?.decimals ?? 2);
  }

  private make(width: number, height: number): uPlot | null {
    const info = this.info;
    if (info === null || width < 40 || height < 40) return null;
    const rem = remPx();
    const { point, decimals } = info;
    const scale = scaleOf(point.unit);
    const normal = point.normal?.map((value) => toShown(scale, value)) ?? [];
    const step = 10 ** -decimals;
    return new uPlot(
      {
        width,
        height,
        padding: [rem * 0.4, rem * 1.4, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: {
          x: {
            range: () => {
              const window = windowAt(this.span, this.store.nowMs());
              return [window.fromMs / 1000, window.toMs / 1000];
            },
          },
          y: { range: () => padded([...this.data[1], ...this.data[2], ...normal], step * 4) },
        },
        axes: [
          axis({ size: rem * 2.4, space: rem * 5, values: clockTimes }),
          axis({
            size: rem * 3.6,
            space: rem * 2.2,
            incrs: INCREMENTS,
            values: (_, splits) => tickTexts(splits),
          }),
        ],
        series: [
          {},
          { stroke: colour("spread-line"), width: 1, points: { show: false } },
          { stroke: colour("spread-line"), width: 1, points: { show: false } },
          { stroke: colour("line"), width: rem * 0.12, points: { show: false } },
        ],
        bands: [{ series: [1, 2], fill: colour("spread") }],
        hooks: {
          drawClear: [
            (u) => {
              drawNormal(u, normal);
              drawCovered(u, this.store.coveredMs(info));
            },
          ],
          setCursor: [
            (u) => {
              this.read(u, decimals);
            },
          ],
        },
      },
      this.data,
      this.box,
    );
  }

  private read(u: uPlot, decimals: number): void {
    const at = u.cursor.idx;
    const time = at == null ? undefined : this.data[0][at];
    if (at == null || time === undefined) return;
    const [, max, min, mean] = this.data.map((column) => column[at] ?? null);
    const text = (value: number | null | undefined): string =>
      value == null ? "none" : formatNumber(value, decimals);
    const when = new Date(time * 1000).toLocaleString([], {
      dateStyle: "medium",
      timeStyle: "medium",
    });
    setText(this.readout, `${when}: mean ${text(mean)}, lowest ${text(min)}, highest ${text(max)}`);
  }

  private onKey(event: KeyboardEvent): void {
    const plot = this.fitted.plot;
    const count = this.data[0].length;
    if (plot === null || count === 0) return;
    const moves: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      Home: -count,
      End: count,
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const at = Math.min(count - 1, Math.max(0, (plot.cursor.idx ?? count - 1) + move));
    plot.setCursor({ left: plot.valToPos(this.data[0][at] ?? 0, "x"), top: 10 });
  }

  private spans(): HTMLElement {
    const group = h("fieldset", { class: "spans" }, h("legend", { class: "hidden" }, "Span"));
    for (const span of SPANS) {
      const input = h("input", {
        type: "radio",
        name: "span",
        value: span.id,
        checked: span === this.span,
      });
      input.onchange = () => {
        this.span = span;
        this.restart();
      };
      group.append(h("label", {}, input, h("span", {}, span.name)));
    }
    return group;
  }
}

function drawNormal(u: uPlot, normal: readonly number[]): void {
  const [low, high] = normal;
  if (low === undefined || high === undefined) return;
  const top = Math.max(u.bbox.top, u.valToPos(high, "y", true));
  const foot = Math.min(u.bbox.top + u.bbox.height, u.valToPos(low, "y", true));
  u.ctx.save();
  u.ctx.fillStyle = colour("band");
  u.ctx.fillRect(u.bbox.left, top, u.bbox.width, foot - top);
  u.ctx.restore();
}

/** A dashed line where the statements end: what stands to the right of it is provisional. */
function drawCovered(u: uPlot, coveredMs: number | null): void {
  const { left, top, width, height } = u.bbox;
  if (coveredMs === null) return;
  const x = u.valToPos(coveredMs / 1000, "x", true);
  if (x <= left || x >= left + width) return;
  const rem = remPx() * devicePixelRatio;
  u.ctx.save();
  u.ctx.strokeStyle = colour("muted");
  u.ctx.lineWidth = rem * 0.08;
  u.ctx.setLineDash([rem * 0.3, rem * 0.25]);
  u.ctx.beginPath();
  u.ctx.moveTo(x, top);
  u.ctx.lineTo(x, top + height);
  u.ctx.stroke();
  u.ctx.restore();
}

/** Times of day, with the date under the first and wherever it changes. */
function clockTimes(u: uPlot, splits: number[]): string[] {
  const span = (u.scales["x"]?.max ?? 0) - (u.scales["x"]?.min ?? 0);
  let before = "";
  return splits.map((at) => {
    const moment = new Date(at * 1000);
    const date = moment.toLocaleDateString([], { day: "numeric", month: "short" });
    const time = moment.toLocaleTimeString([], {
      hour: "2-digit",
      minute: "2-digit",
      hour12: false,
    });
    const changed = date !== before;
    before = date;
    if (span > 4 * 86_400) return changed ? date : "";
    return changed ? `${time}\n${date}` : time;
  });
}

function option(value: string, text: string): HTMLOptionElement {
  return h("option", { value }, text);
}

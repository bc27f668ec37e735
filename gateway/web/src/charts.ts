// What both charts share over uPlot: colours of the page, sizes in rem, own size to its box.

import uPlot from "uplot";
import { remPx } from "./dom";

const probe = document.createElement("span");
probe.hidden = true;
document.documentElement.append(probe);

/** A colour of style.css as the canvas needs it. */
export function colour(name: string): string {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

export function font(rem: number): string {
  return `${Math.round(rem * remPx())}px ${getComputedStyle(document.body).fontFamily}`;
}

/** Axis options every chart has. */
export function axis(options: uPlot.Axis): uPlot.Axis {
  const line = colour("grid");
  return {
    stroke: colour("muted"),
    font: font(0.8),
    gap: 4,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    ...options,
  };
}

/** Keep a chart as large as its box, and draw it anew where theme or size of type change. */
export class Fitted {
  private chart: uPlot | null = null;
  private look = "";

  constructor(
    private readonly box: HTMLElement,
    private readonly make: (width: number, height: number) => uPlot | null,
  ) {
    new ResizeObserver(() => {
      this.fit();
    }).observe(box);
  }

  get plot(): uPlot | null {
    return this.chart;
  }

  /** The chart to set data on; null while its box has no size. */
  fit(): uPlot | null {
    const width = this.box.clientWidth;
    const height = this.box.clientHeight;
    if (width < 40 || height < 40) return this.chart;
    const look = `${colour("text")} ${remPx()}`;
    if (this.chart === null || look !== this.look) {
      this.renew(width, height);
      this.look = look;
    } else if (this.chart.width !== width || this.chart.height !== height) {
      this.chart.setSize({ width, height });
    }
    return this.chart;
  }

  /** Build the chart again with what `make` now says. */
  renew(width = this.box.clientWidth, height = this.box.clientHeight): void {
    this.chart?.destroy();
    this.chart = this.make(width, height);
  }
}

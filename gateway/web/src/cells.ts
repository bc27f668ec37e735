// One table cell a point: its number, its condition by icon, words and colour.

import { h, setAttribute, setText } from "./dom";
import { icon } from "./icons";
import { describe, qualityReason, type Condition } from "./judge";
import type { PointInfo, Store } from "./store";
import { formatAge, formatWire, quantityName } from "./units";

export class Cell {
  readonly element: HTMLTableCellElement;
  private readonly mark = h("span", { class: "mark" });
  private readonly value = h("span", { class: "value" });
  private readonly note = h("span", { class: "note" });
  private condition: Condition | null = null;

  constructor(private readonly info: PointInfo) {
    this.element = h("td", { class: "cell", tabindex: -1, "data-point": info.point.id });
    this.element.append(this.mark, this.value, " ", this.note);
  }

  update(store: Store): Condition {
    const { point, decimals, place } = this.info;
    const sample = store.samples.get(point.id);
    const condition = store.condition(this.info);
    const now = store.nowMs();
    if (condition !== this.condition) {
      this.condition = condition;
      this.element.dataset["condition"] = condition;
      this.mark.replaceChildren(
        ...(condition === "normal" || condition === "absent" ? [] : [icon(condition)]),
      );
    }
    const number = sample?.value ?? null;
    setText(
      this.value,
      number === null ? letter(sample?.quality) : formatWire(point.unit, number, decimals),
    );
    setText(this.note, sample === undefined ? "" : qualityReason(sample.quality));
    // An age is drawn by the style sheet: in the text it would part the number from its label.
    const age = condition === "stale" && sample !== undefined ? formatAge(now - sample.timeMs) : "";
    setAttribute(this.element, "data-age", age);
    const provisional = store.provisional(this.info);
    setAttribute(this.element, "data-provisional", String(provisional));
    const words =
      describe(point, sample, condition, now, decimals) + (provisional ? ", provisional" : "");
    setAttribute(
      this.element,
      "aria-label",
      `${place.stage.id} ${quantityName(point.name)}: ${words}`,
    );
    return condition;
  }
}

function letter(quality: string | undefined): string {
  return quality === undefined || quality === "good" ? "\u2013" : quality.charAt(0);
}

// Licensed machines: whether each may start, until when, why, and what its registers say.

import { h, refill } from "./dom";
import { icon } from "./icons";
import type { Store } from "./store";
import type { EquipmentEvidence } from "./types";
import { formatDate, formatTime } from "./when";
import { permission, registersWords, runWords } from "./words";

export class EquipmentPanel {
  readonly element = h("section", {
    class: "panel equipment",
    "aria-label": "Equipment and permits",
  });
  private readonly list = h("ul", { class: "machines" });

  constructor(private readonly store: Store) {
    this.element.append(
      h("div", { class: "panel-head" }, h("h2", {}, "Equipment and permits")),
      this.list,
    );
  }

  update(): void {
    const now = this.store.nowMs();
    const items = this.store.evidence?.equipment ?? [];
    const key = JSON.stringify(items.map((item) => [item, permission(item, now)]));
    refill(this.list, key, () =>
      items.length > 0
        ? items.map((item) => machine(item, now))
        : [
            h(
              "li",
              { class: "muted" },
              this.store.evidence === null ? "No word yet" : "This plant has no licensed equipment",
            ),
          ],
    );
  }
}

function machine(item: EquipmentEvidence, nowMs: number): HTMLLIElement {
  const state = permission(item, nowMs);
  const lines = [
    h(
      "div",
      { class: "machine-name" },
      h("strong", {}, item.name),
      h("span", { class: "muted" }, `${item.serial}, node ${item.node}`),
      h(
        "span",
        { class: "run" },
        icon(item.run === null ? "absent" : item.run ? "runs" : "stopped"),
        runWords(item.run),
      ),
    ),
    h(
      "div",
      { class: "machine-state" },
      h(
        "span",
        { class: "remark", "data-level": state.level },
        icon(state.icon),
        h("span", {}, state.text),
      ),
    ),
    h("div", { class: "machine-why" }, item.reason),
    h("div", { class: "machine-more muted" }, details(item)),
  ];
  const denial = item.last_denial;
  if (denial !== null) {
    const when =
      denial.time_ms === null ? "at an unknown time" : `at ${formatTime(denial.time_ms)}`;
    const what = denial.kind === "REFUSED" ? "Start refused" : "Started without permission";
    const times = denial.count > 1 ? `, ${denial.count} times in all` : "";
    lines.push(
      h(
        "div",
        { class: "machine-denial" },
        icon("barred"),
        `${what} ${when}: ${denial.reason}${times}`,
      ),
    );
  }
  return h("li", {}, ...lines);
}

function details(item: EquipmentEvidence): string {
  const licence =
    item.licence === null
      ? "no licence"
      : `Licence ${item.licence.number} to ${formatDate(item.licence.to_ms)}`;
  const permit = item.permit === null ? "no permit" : `permit ${item.permit.serial}`;
  return `${licence}, ${permit}; ${registersWords(item)}`;
}

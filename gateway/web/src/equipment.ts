// Licensed machines: whether each may start, until when, why, and what its registers say.

import { h, refill } from "./dom";
import { icon, type IconName } from "./icons";
import { acknowledgeWords } from "./licences/words";
import type { Store } from "./store";
import type { EquipmentEvidence } from "./types";
import { formatDate, formatDay, formatTime } from "./when";
import { permission, reasonWords, registersWords, runWords, type Remark } from "./words";

/** Around its end the hour of a licence's end matters, else the day. */
const NEAR_MS = 2 * 86_400_000;

export class EquipmentPanel {
  readonly element = h("section", {
    class: "panel equipment",
    "aria-label": "Equipment and permits",
  });
  private readonly list = h("ul", { class: "machines" });

  constructor(private readonly store: Store) {
    this.element.append(
      h(
        "div",
        { class: "panel-head" },
        h("h2", {}, "Equipment and permits"),
        h("a", { class: "more", href: "/licences/" }, "Licences and conditions"),
      ),
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
      h("span", { class: "run" }, icon(runIcon(item.run)), runWords(item.run)),
      h("span", { class: "serial muted" }, `${item.serial}, ${item.node}`),
    ),
    h("div", { class: "machine-state" }, remark(state), ...toAcknowledge(item)),
    h("div", { class: "machine-why" }, item.reason),
    h(
      "div",
      { class: "machine-more muted" },
      h("span", {}, documents(item, nowMs)),
      h("span", { class: "registers" }, registersWords(item)),
    ),
  ];
  if (item.last_denial !== null) {
    lines.push(
      h(
        "div",
        { class: "machine-denial" },
        icon("barred"),
        h("span", {}, denial(item.last_denial)),
      ),
    );
  }
  return h("li", {}, ...lines);
}

export function runIcon(run: boolean | null): IconName {
  if (run === null) return "absent";
  return run ? "runs" : "stopped";
}

function toAcknowledge(item: EquipmentEvidence): HTMLElement[] {
  const due = item.to_acknowledge ?? [];
  const what = due.map(acknowledgeWords).join(", ");
  return due.length === 0 ? [] : [h("small", {}, `to be acknowledged: ${what}`)];
}

export function remark(state: Remark): HTMLElement {
  const text = h("span", {}, state.text);
  return h("span", { class: "remark", "data-level": state.level }, icon(state.icon), text);
}

/** Licence and permit; what the reason has named already is not named again. */
function documents(item: EquipmentEvidence, nowMs: number): string {
  const { licence, permit, reason } = item;
  const parts: string[] = [];
  if (licence === null) {
    if (!reason.includes("no licence")) parts.push("No licence");
  } else {
    const number = reason.includes(licence.number) ? "" : ` ${licence.number}`;
    const near = Math.abs(licence.to_ms - nowMs) < NEAR_MS;
    const end = near ? formatDate(licence.to_ms) : formatDay(licence.to_ms);
    parts.push(`Licence${number} to ${end}`);
  }
  if (permit === null) parts.push("no permit");
  else if (!reason.includes(`permit ${permit.serial} `)) parts.push(`permit ${permit.serial}`);
  return parts.join(", ");
}

export function denial(last: NonNullable<EquipmentEvidence["last_denial"]>): string {
  const what = last.kind === "REFUSED" ? "Start refused" : "Started without permission";
  const when = last.time_ms === null ? "at an unknown time" : `at ${formatTime(last.time_ms)}`;
  const times = last.count > 1 ? `, ${last.count} times in all` : "";
  return `${what} ${when}: ${reasonWords(last.reason)}${times}`;
}

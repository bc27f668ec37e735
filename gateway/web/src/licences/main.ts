// Licences: every machine at a glance, and one with its conditions, quotas and acknowledgements.

import "../sheets.css";
import { h, refill, setText } from "../dom";
import { remark, runIcon } from "../equipment";
import { icon } from "../icons";
import { show, type Sheet } from "../shell";
import type { Store } from "../store";
import type { EquipmentEvidence, PlantEquipment } from "../types";
import { permission, runWords, stateWords } from "../words";
import { Acknowledging } from "./acknowledge";
import { Card, mostUrgent } from "./card";
import { conditionsTable, verdict } from "./conditions";
import { bars, denialLine, dutyWords, licenceRows, permitRows, rowsList } from "./facts";
import { NOT_LEGAL_ADVICE } from "./words";

class Details {
  readonly element = h("section", { class: "panel details", "aria-labelledby": "machine" });
  private readonly name = h("h2", { id: "machine" });
  private readonly which = h("span", { class: "muted" });
  private readonly run = h("span", { class: "run" });
  private readonly state = h("div", { class: "details-state" });
  private readonly licence = h("div");
  private readonly left = h("ul", { class: "bars" });
  private readonly duty = h("p");
  private readonly denial = h("p", { class: "machine-denial" });
  private readonly verdict = h("div", { class: "verdict-box" });
  private readonly table = h("div");
  private readonly acknowledging = new Acknowledging();

  constructor() {
    this.element.append(
      h("div", { class: "panel-head" }, this.name, this.run, this.which),
      this.state,
      h(
        "div",
        { class: "details-columns" },
        h(
          "div",
          { class: "details-facts" },
          h("h3", {}, "Licence and permit"),
          this.licence,
          h("h3", {}, "Left"),
          this.left,
          h("h3", {}, "Next duty"),
          this.duty,
          h("h3", {}, "Last refused or unpermitted start"),
          this.denial,
          this.acknowledging.element,
        ),
        h("div", { class: "details-verdict" }, h("h3", {}, "Conditions"), this.verdict, this.table),
      ),
    );
  }

  update(plant: PlantEquipment, item: EquipmentEvidence, nowMs: number): void {
    setText(this.name, item.name);
    setText(this.which, `${plant.maker} ${plant.model}, ${item.serial}, node ${item.node}`);
    refill(this.run, String(item.run), () => [icon(runIcon(item.run)), runWords(item.run)]);
    const state = permission(item, nowMs);
    refill(this.state, JSON.stringify([state, item.reason, item.state]), () => [
      remark(state),
      h("span", { class: "why" }, item.reason),
      h("span", { class: "means" }, stateWords(item.state)),
    ]);
    const rows = [...licenceRows(item.licence, nowMs), ...permitRows(item, nowMs)];
    refill(this.licence, JSON.stringify(rows), () => [rowsList(rows)]);
    refill(this.left, JSON.stringify([item.licence?.quotas, item.permit]), () => bars(item));
    const [duty, late] = dutyWords(item.licence, nowMs);
    setText(this.duty, duty);
    this.duty.dataset["level"] = late ? "alarm" : "normal";
    refill(this.denial, JSON.stringify(item.last_denial), () => denialLine(item));
    refill(this.verdict, JSON.stringify(item.licence?.decision ?? item.licence === null), () =>
      verdict(item.licence),
    );
    const decision = item.licence?.decision ?? null;
    const conditions = decision === null ? null : [decision.conditions, decision.recorded];
    refill(this.table, JSON.stringify([item.id, conditions]), () =>
      decision === null ? [] : conditionsTable(decision, item.name),
    );
    this.acknowledging.update(item);
  }
}

function licences(store: Store, soon: () => void): Sheet {
  const { equipment } = store.plant;
  const cards = new Map(equipment.map((item) => [item.id, new Card(item)]));
  const list = h("ul", { class: "cards" }, ...[...cards.values()].map((card) => card.element));
  const empty = h("p", { class: "empty" });
  const details = new Details();
  const problems = h("ul", { class: "problems" });
  addEventListener("hashchange", soon);
  return {
    children: [
      h(
        "p",
        { class: "lead" },
        `${NOT_LEGAL_ADVICE} Verdicts hold for the time that stands beside them. A permit lets machines start; nothing here stops one that runs.`,
      ),
      problems,
      h("section", { "aria-label": "Machines" }, list, empty),
      details.element,
    ],
    update: () => {
      const items = store.evidence?.equipment ?? [];
      const now = store.nowMs();
      const chosen = choice(items, now);
      for (const [id, card] of cards) {
        card.update(
          items.find((item) => item.id === id),
          id === chosen?.id,
          now,
        );
      }
      const machine = equipment.find((item) => item.id === chosen?.id);
      details.element.hidden = chosen === undefined || machine === undefined;
      if (chosen !== undefined && machine !== undefined) details.update(machine, chosen, now);
      empty.hidden = items.length > 0;
      setText(
        empty,
        store.evidence === null ? "No word yet" : "This plant has no licensed equipment",
      );
      const wrong = store.evidence?.problems ?? [];
      refill(problems, JSON.stringify(wrong), () =>
        wrong.map((text) =>
          h(
            "li",
            {},
            h("span", { class: "remark", "data-level": "warning" }, icon("warning"), text),
          ),
        ),
      );
      return `Licences - ${store.plant.name}`;
    },
  };
}

/** The machine of the address, else the one that needs attention most. */
function choice(items: readonly EquipmentEvidence[], nowMs: number): EquipmentEvidence | undefined {
  const asked = decoded(location.hash.slice(1));
  const found = items.find((item) => item.id === asked);
  return found ?? items.find((item) => item.id === mostUrgent(items, nowMs));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

void show("licences", licences);

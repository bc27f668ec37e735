// One machine at a glance: state with its countdown, licence, what is left. A link to its details.

import { h, refill, setAttribute, setText } from "../dom";
import { remark, runIcon } from "../equipment";
import { icon } from "../icons";
import type { DecisionShown, EquipmentEvidence, PlantEquipment } from "../types";
import { formatUtc } from "../when";
import { permission, runWords, type Level } from "../words";
import { evidenceWords, resultWords, weakestEvidence, type ResultWords } from "./words";

export class Card {
  readonly element: HTMLLIElement;
  private readonly link: HTMLAnchorElement;
  private readonly state = h("span", { class: "card-state" });
  private readonly run = h("span", { class: "run" });
  private readonly verdict = h("span", { class: "card-verdict" });
  private readonly due = h("span", { class: "card-due" });

  constructor(item: PlantEquipment) {
    this.link = h(
      "a",
      { class: "card", href: `#${item.id}` },
      h("span", { class: "card-name" }, h("strong", {}, item.name), this.run),
      this.state,
      h("span", { class: "card-more" }, this.verdict, this.due),
    );
    this.element = h("li", {}, this.link);
  }

  update(item: EquipmentEvidence | undefined, chosen: boolean, nowMs: number): void {
    if (chosen) setAttribute(this.link, "aria-current", "true");
    else this.link.removeAttribute("aria-current");
    const state = item === undefined ? null : permission(item, nowMs);
    refill(this.state, JSON.stringify(state), () =>
      state === null ? ["No word yet"] : [remark(state)],
    );
    const run = item?.run ?? null;
    refill(this.run, String(run), () => [icon(runIcon(run)), runWords(run)]);
    const decision = item?.licence?.decision ?? null;
    const about = decision === null ? "" : aboutWords(decision);
    refill(this.verdict, `${decision?.result ?? ""} ${about}`, () =>
      decision === null ? [] : ["Verdict ", mark(resultWords(decision.result)), about],
    );
    const due = item?.to_acknowledge ?? [];
    setText(this.due, due.length > 0 ? "to be acknowledged" : "");
  }
}

/** A verdict never stands without its date and what it rests on. */
function aboutWords(decision: DecisionShown): string {
  const weakest = weakestEvidence(decision);
  const rests = weakest === null ? "" : `, evidence: ${evidenceWords(weakest)}`;
  return ` as of ${formatUtc(decision.at_ms)}${rests}`;
}

function mark({ level, icon: shape, text }: ResultWords): HTMLElement {
  return h("span", { class: "remark", "data-level": level }, icon(shape), h("span", {}, text));
}

const LEVELS: Level[] = ["alarm", "warning", "normal"];

/** The machine that needs attention most: by its permission, then by its verdict, then the first. */
export function mostUrgent(items: readonly EquipmentEvidence[], nowMs: number): string | null {
  const ranked = items.map((item) => {
    const result = item.licence?.decision?.result;
    const verdict = result === undefined ? "normal" : resultWords(result).level;
    const rank = 10 * LEVELS.indexOf(permission(item, nowMs).level) + LEVELS.indexOf(verdict);
    return { id: item.id, rank };
  });
  return ranked.sort((a, b) => a.rank - b.rank)[0]?.id ?? null;
}

// The line under the header: what is not normal, in words; grey and short where all is.

import { h, refill } from "./dom";
import { icon } from "./icons";
import { conditionWords, severity, type Condition } from "./judge";
import type { Store } from "./store";
import { gatewayRemarks, plantRemarks, type Remark } from "./words";
import { quantityName } from "./units";

const STAGES_SHOWN = 4;
const NARROW = matchMedia("(width < 700px)");
const REMARKS_SHOWN = 10;
const REMARKS_SHOWN_NARROW = 5;

export class Attention {
  readonly element = h("section", { class: "attention", "aria-label": "Not normal" });
  private readonly list = h("ul");
  private whole = false;

  constructor(
    private readonly store: Store,
    private readonly select: (point: string) => void,
  ) {
    this.element.append(this.list);
  }

  /** How many points are not normal. */
  update(): number {
    const { store } = this;
    const remarks = [
      ...(store.health === null ? [] : gatewayRemarks(store.health)),
      ...plantRemarks(store.plant, store.health, store.evidence, store.nowMs()),
    ].sort((a, b) => rank(a) - rank(b));
    const groups = groupPoints(store);
    const count = groups.reduce((sum, group) => sum + group.points.length, 0);
    const key = JSON.stringify([remarks, groups, this.whole, NARROW.matches]);
    refill(this.list, key, () => {
      if (remarks.length + groups.length === 0) {
        return [h("li", { class: "calm" }, `All ${store.points.size} points normal`)];
      }
      return this.folded([
        ...remarks.filter((r) => r.level === "alarm").map(remarkItem),
        ...groups.map((group) => this.groupItem(group)),
        ...remarks.filter((r) => r.level !== "alarm").map(remarkItem),
      ]);
    });
    return count;
  }

  private folded(items: HTMLLIElement[]): HTMLLIElement[] {
    const most = NARROW.matches ? REMARKS_SHOWN_NARROW : REMARKS_SHOWN;
    const more = items.length - most;
    if (more <= 0) return items;
    const button = h("button", { type: "button", "aria-expanded": String(this.whole) });
    button.append(this.whole ? "Show fewer" : `${more} more`);
    button.onclick = () => {
      this.whole = !this.whole;
      this.update();
      this.list.querySelector<HTMLElement>("[aria-expanded]")?.focus();
    };
    return [...(this.whole ? items : items.slice(0, most)), h("li", {}, button)];
  }

  private groupItem(group: Group): HTMLLIElement {
    const text = groupWords(group, this.store);
    const button = h("button", { type: "button", "data-condition": group.condition });
    button.append(icon(group.condition), h("span", {}, text));
    button.onclick = () => {
      const first = group.points[0];
      if (first !== undefined) this.select(first);
    };
    return h("li", {}, button);
  }
}

interface Group {
  /** The quantity; null for all of them. */
  name: string | null;
  condition: Condition;
  points: string[];
}

function groupWords(group: Group, store: Store): string {
  const condition = conditionWords(group.condition);
  if (group.name === null) return `All ${group.points.length} points: ${condition}`;
  const stages = group.points.map((id) => id.split("/")[0] ?? id);
  const having = [...store.points.values()].filter((info) => info.point.name === group.name);
  const head = `${quantityName(group.name)} ${condition}`;
  if (stages.length === having.length && stages.length > 1) return `${head}: all stages`;
  const more = stages.length - STAGES_SHOWN;
  const shown = stages.slice(0, STAGES_SHOWN).join(", ");
  return `${head}: ${shown}${more > 0 ? ` and ${more} more` : ""}`;
}

function groupPoints(store: Store): Group[] {
  const groups = new Map<string, Group>();
  const conditions = new Set([...store.points.values()].map((info) => store.condition(info)));
  const everywhere = conditions.size === 1 ? [...conditions][0] : undefined;
  for (const info of store.points.values()) {
    const condition = store.condition(info);
    if (condition === "normal") continue;
    // Where nothing is measured any more, one sentence says more than one a quantity.
    const name = everywhere === condition ? null : info.point.name;
    const key = `${name ?? ""} ${condition}`;
    const group = groups.get(key) ?? { name, condition, points: [] };
    group.points.push(info.point.id);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => severity(a.condition) - severity(b.condition));
}

function remarkItem(remark: Remark): HTMLLIElement {
  return h(
    "li",
    {},
    h(
      "span",
      { class: "remark", "data-level": remark.level },
      icon(remark.icon),
      h("span", {}, remark.text),
    ),
  );
}

function rank(remark: Remark): number {
  return remark.level === "alarm" ? 0 : 1;
}

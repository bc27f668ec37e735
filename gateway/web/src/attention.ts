// The line under the header: what is not normal, in words; grey and short where all is.

import { h, refill } from "./dom";
import { icon } from "./icons";
import { conditionWords, severity, type Condition } from "./judge";
import type { Store } from "./store";
import { gatewayRemarks, plantRemarks, type Remark } from "./words";
import { quantityName } from "./units";

const STAGES_SHOWN = 4;

export class Attention {
  readonly element = h("section", { class: "attention", "aria-label": "Not normal" });
  private readonly list = h("ul");

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
    const key = JSON.stringify([remarks, groups]);
    refill(this.list, key, () => {
      if (remarks.length + groups.length === 0) {
        return [h("li", { class: "calm" }, `All ${store.points.size} points normal`)];
      }
      return [
        ...remarks.filter((r) => r.level === "alarm").map(remarkItem),
        ...groups.map((group) => this.groupItem(group)),
        ...remarks.filter((r) => r.level !== "alarm").map(remarkItem),
      ];
    });
    return count;
  }

  private groupItem(group: Group): HTMLLIElement {
    const stages = group.points.map((id) => id.split("/")[0] ?? id);
    const more = stages.length - STAGES_SHOWN;
    const text =
      `${quantityName(group.name)} ${conditionWords(group.condition)}: ` +
      stages.slice(0, STAGES_SHOWN).join(", ") +
      (more > 0 ? ` and ${more} more` : "");
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
  name: string;
  condition: Condition;
  points: string[];
}

function groupPoints(store: Store): Group[] {
  const groups = new Map<string, Group>();
  for (const info of store.points.values()) {
    const condition = store.condition(info);
    if (condition === "normal") continue;
    const key = `${info.point.name} ${condition}`;
    const group = groups.get(key) ?? { name: info.point.name, condition, points: [] };
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

// The table of a decision's conditions, and the line above it: verdict, date, evidence.

import { h } from "../dom";
import { icon } from "../icons";
import type { ConditionShown, DecisionShown, LicenceShown } from "../types";
import { formatUtcSeconds } from "../when";
import {
  classWords,
  evidenceWords,
  NOT_LEGAL_ADVICE,
  resultWords,
  weakestEvidence,
  wholeWords,
  worstFirst,
} from "./words";

const HEADS = ["Result", "Condition", "How it is shown", "Rule", "Inputs"];

export function verdict(licence: LicenceShown | null): Node[] {
  const decision = licence?.decision ?? null;
  if (decision === null) {
    return [
      h(
        "p",
        { class: "verdict muted" },
        licence === null
          ? "There is no licence to hold the use against."
          : "The engine has not looked at this licence yet.",
      ),
    ];
  }
  return [
    h(
      "p",
      { class: "verdict" },
      resultMark(decision.result),
      h("span", {}, `${wholeWords(decision.result)}, as of ${formatUtcSeconds(decision.at_ms)}`),
    ),
    h("p", { class: "basis" }, `${basis(decision)} ${NOT_LEGAL_ADVICE}`),
  ];
}

export function conditionsTable(decision: DecisionShown, machine: string): Node[] {
  const rows = worstFirst(decision.conditions).map(row);
  const table = h(
    "table",
    { class: "sheet conditions", role: "table" },
    h("caption", { class: "hidden" }, `Conditions of the licence for ${machine}, worst first`),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        ...HEADS.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
      ),
    ),
    h("tbody", { role: "rowgroup" }, ...rows),
  );
  const recorded = decision.recorded.map((text) => h("li", {}, text));
  if (recorded.length === 0) return [table];
  return [
    table,
    h("h4", {}, "Recorded, never evaluated"),
    h(
      "p",
      { class: "muted" },
      "No machine can check these; they stand here in the licence's words.",
    ),
    h("ul", { class: "recorded" }, ...recorded),
  ];
}

function basis(decision: DecisionShown): string {
  const weakest = weakestEvidence(decision);
  if (weakest !== null) return `Weakest evidence among its rules: ${evidenceWords(weakest)}.`;
  return decision.conditions.some((condition) => condition.rule !== null)
    ? "No regime file that counts has the rules that it rests on."
    : "It rests on no rule of a regime file.";
}

function row(condition: ConditionShown): HTMLTableRowElement {
  const cell = (head: string, ...children: (Node | string)[]): HTMLTableCellElement =>
    h("td", { role: "cell", "data-head": head }, h("span", { class: "cell-body" }, ...children));
  const notes = [
    ...(condition.withholds ? ["no start permit is given for it"] : []),
    ...(condition.waived === null ? [] : [`waived: ${condition.waived}`]),
  ];
  return h(
    "tr",
    { role: "row", "data-result": condition.result },
    cell("Result", resultMark(condition.result)),
    h(
      "th",
      { scope: "row", role: "rowheader" },
      h("span", {}, condition.text),
      ...notes.map((text) => h("small", { class: "note" }, text)),
      h("small", { class: "muted code" }, condition.code),
    ),
    cell("How it is shown", `${condition.class}, ${classWords(condition.class)}`),
    cell(
      "Rule",
      condition.rule ?? "the licence itself",
      ...(condition.evidence === null
        ? []
        : [h("small", { class: "muted" }, `evidence: ${evidenceWords(condition.evidence)}`)]),
    ),
    cell("Inputs", inputs(condition)),
  );
}

function inputs(condition: ConditionShown): Node {
  if (condition.inputs.length === 0) return h("span", { class: "muted" }, "none");
  return h(
    "dl",
    { class: "inputs" },
    ...condition.inputs.map(([name, value]) =>
      h("div", {}, h("dt", {}, name ?? ""), h("dd", {}, value ?? "")),
    ),
  );
}

function resultMark(result: string): HTMLElement {
  const { level, icon: shape, text } = resultWords(result);
  return h("span", { class: "remark", "data-level": level }, icon(shape), h("span", {}, text));
}

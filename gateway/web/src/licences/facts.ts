// What stands beside the conditions: licence, permit, what is left, duty, denials.

import { h, s } from "../dom";
import { denial } from "../equipment";
import { icon } from "../icons";
import type { EquipmentEvidence, LicenceShown } from "../types";
import { formatSpan } from "../units";
import { formatUtc } from "../when";
import { registersWords } from "../words";
import { periodWords, quotaBar, quotaName, type Bar } from "./words";

const ML_PER_L = 1000;

/** Rows of name and value for the licence in force. */
export function licenceRows(licence: LicenceShown | null, nowMs: number): [string, string][] {
  if (licence === null) return [["Licence", "none for this machine"]];
  const rows: [string, string][] = [
    ["Licence", `${licence.number}, version ${licence.version}, ${licence.kind}`],
    ["Issuer", licence.issuer],
    [
      "In force",
      `${formatUtc(licence.from_ms)} to ${formatUtc(licence.to_ms)}: ${standing(licence, nowMs)}`,
    ],
  ];
  if (licence.rests_on.length > 0) rows.push(["Rests on", licence.rests_on.join(", ")]);
  rows.push(["SHA-256", licence.sha256]);
  return rows;
}

export function permitRows(item: EquipmentEvidence, nowMs: number): [string, string][] {
  const { permit } = item;
  const rows: [string, string][] = [];
  if (permit === null) rows.push(["Permit", "none"]);
  else {
    rows.push([
      "Permit",
      permit.withdrawn === true ? `${permit.serial}, taken back` : String(permit.serial),
    ]);
    const endMs = permit.not_after_ms - nowMs;
    rows.push([
      endMs > 0 ? "Ends in" : "Ended",
      endMs > 0
        ? `${formatSpan(endMs)}, ${formatUtc(permit.not_after_ms)}`
        : `${formatSpan(-endMs)} ago, ${formatUtc(permit.not_after_ms)}`,
    ]);
    const graceMs = endMs + permit.grace_ms;
    rows.push([
      "Grace",
      endMs > 0
        ? `${formatSpan(permit.grace_ms)} after its end`
        : graceMs > 0
          ? `${formatSpan(graceMs)} left`
          : `over for ${formatSpan(-graceMs)}`,
    ]);
  }
  rows.push(["Registers", registersWords(item)]);
  if (item.bypass !== undefined && item.bypass !== null) {
    const { since_ms: since, index } = item.bypass;
    rows.push([
      "Bypass",
      `on since ${formatUtc(since)}${index === null ? "" : `, log entry ${index}`}`,
    ]);
  }
  return rows;
}

export function rowsList(rows: readonly [string, string][]): HTMLElement {
  return h(
    "dl",
    { class: "facts" },
    ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** What is left of the permit and of each quota, as bars with numbers. */
export function bars(item: EquipmentEvidence): Node[] {
  const found: Node[] = [];
  const { permit } = item;
  if (permit !== null) {
    const { run_ms_left: runLeft, volume_ml_left: volumeLeft } = permit;
    if (typeof runLeft === "number") {
      found.push(h("li", {}, h("strong", {}, "Permit"), ` ${formatSpan(runLeft)} of running left`));
    }
    if (typeof volumeLeft === "number") {
      const litres = (Math.max(0, volumeLeft) / ML_PER_L).toFixed(1);
      found.push(h("li", {}, h("strong", {}, "Permit"), ` ${litres} L left`));
    }
  }
  for (const quota of item.licence?.quotas ?? []) {
    const held = quota.binds === "permit" ? "held by the permit" : "judged by the auditor only";
    const period = `${periodWords(quota.period)}, to ${formatUtc(quota.period_end_ms)}; ${held}`;
    found.push(barItem(quotaName(quota), quotaBar(quota), period));
  }
  return found.length > 0 ? found : [h("li", { class: "muted" }, "No quota")];
}

export function dutyWords(licence: LicenceShown | null, nowMs: number): [string, boolean] {
  const duty = licence?.next_duty ?? null;
  if (duty === null) return ["None known", false];
  const what = `${duty.what}, to ${duty.to}`;
  if (duty.due_ms === null) return [`${what}; not dated`, false];
  const leftMs = duty.due_ms - nowMs;
  return leftMs >= 0
    ? [`${what}: due in ${formatSpan(leftMs)}, ${formatUtc(duty.due_ms)}`, false]
    : [`${what}: past due for ${formatSpan(-leftMs)}, ${formatUtc(duty.due_ms)}`, true];
}

export function denialLine(item: EquipmentEvidence): Node[] {
  if (item.last_denial === null) return ["None since the node's key was enrolled"].map(text);
  return [icon("barred"), h("span", {}, denial(item.last_denial))];
}

function text(words: string): Node {
  return h("span", { class: "muted" }, words);
}

function standing(licence: LicenceShown, nowMs: number): string {
  if (licence.revoked_ms !== null && licence.revoked_ms <= nowMs) {
    return `revoked ${formatUtc(licence.revoked_ms)}`;
  }
  if (licence.in_force) return `${formatSpan(licence.to_ms - nowMs)} left`;
  if (nowMs < licence.from_ms) return `begins in ${formatSpan(licence.from_ms - nowMs)}`;
  return `ended ${formatSpan(nowMs - licence.to_ms)} ago`;
}

function barItem(name: string, of: Bar, period: string): HTMLLIElement {
  const width = (part: number): string => (100 * part).toFixed(2);
  const picture = s(
    "svg",
    { class: "bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "bar-limit", x: 0, y: 0, width: 100, height: 4 }),
    s("rect", { class: "bar-sure", x: 0, y: 0, width: width(of.sure), height: 4 }),
    s("rect", { class: "bar-maybe", x: width(of.sure), y: 0, width: width(of.maybe), height: 4 }),
  );
  const left =
    of.left === ""
      ? []
      : [h("span", of.level === "normal" ? {} : { "data-level": of.level }, of.left)];
  return h(
    "li",
    {},
    h("div", { class: "bar-head" }, h("strong", {}, name), h("span", {}, of.used), ...left),
    picture,
    h("small", { class: "muted" }, period),
  );
}

// Verdicts, conditions and quotas in the operator's words. Pure.

import type { IconName } from "../icons";
import type { ConditionShown, DecisionShown, QuotaShown } from "../types";
import type { Level } from "../words";

export const NOT_LEGAL_ADVICE = "Not legal advice.";

export interface ResultWords {
  level: Level;
  icon: IconName;
  text: string;
}

const RESULTS: Record<string, ResultWords> = {
  PASS: { level: "normal", icon: "normal", text: "PASS" },
  FAIL: { level: "alarm", icon: "failure", text: "FAIL" },
  INSUFFICIENT: { level: "warning", icon: "absent", text: "INSUFFICIENT" },
  "EXPIRED-RULE": { level: "warning", icon: "stale", text: "EXPIRED-RULE" },
};

// Worst first, as the engine orders them.
const RESULT_ORDER = ["FAIL", "EXPIRED-RULE", "INSUFFICIENT", "PASS"];

const CLASSES: Record<string, string> = {
  D: "direct: measured and signed",
  I: "inferred from measurements",
  X: "by a vouched document alone",
};

// Strongest first.
const EVIDENCE_ORDER = ["legal", "announced", "reported", "rumoured"];
const EVIDENCE: Record<string, string> = {
  legal: "legal text",
  announced: "announced",
  reported: "reported",
  rumoured: "rumoured",
};

const QUANTITIES: Record<string, string> = {
  "run-h": "Running time",
  "volume-l": "Volume",
  "reo-kg": "Rare-earth oxides",
  "reagent-kg": "Reagent",
};

const PERIODS: Record<string, string> = {
  licence: "over the licence",
  year: "this year",
  month: "this month",
  day: "today",
};

const TO_ACKNOWLEDGE: Record<string, string> = {
  grace: "grace",
  "orderly-stop": "the request for an orderly stop",
  conditions: "the licence's conditions",
  bypass: "the bypass",
};

export function resultWords(result: string): ResultWords {
  return RESULTS[result] ?? { level: "warning", icon: "absent", text: result };
}

const WHOLE: Record<string, string> = {
  PASS: "what is known meets every condition",
  FAIL: "what is known contradicts a condition",
  INSUFFICIENT: "not enough is known about a condition",
  "EXPIRED-RULE": "a condition rests on a rule past its review date",
};

/** What a whole decision means. */
export const wholeWords = (result: string): string => WHOLE[result] ?? "an unknown result";
export const classWords = (letter: string): string => CLASSES[letter] ?? "unknown class";
export const evidenceWords = (level: string): string => EVIDENCE[level] ?? level;
export const periodWords = (period: string): string => PERIODS[period] ?? period;
export const acknowledgeWords = (state: string): string => TO_ACKNOWLEDGE[state] ?? state;

/** Conditions worst first; those of one result stay in the engine's order. */
export function worstFirst(conditions: readonly ConditionShown[]): ConditionShown[] {
  return [...conditions].sort((a, b) => rank(a.result) - rank(b.result));
}

/** The weakest evidence among the rules that a decision rests on; null where it rests on none. */
export function weakestEvidence(decision: DecisionShown): string | null {
  const ranks = decision.conditions
    .map((condition) => condition.evidence)
    .filter((level) => level !== null)
    .map((level) => EVIDENCE_ORDER.indexOf(level));
  if (ranks.length === 0) return null;
  return ranks.includes(-1) ? "unknown" : (EVIDENCE_ORDER[Math.max(...ranks)] ?? null);
}

export function quotaName(quota: QuotaShown): string {
  const name = QUANTITIES[quota.quantity] ?? quota.quantity;
  return quota.reagent === null ? name : `${name} ${quota.reagent}`;
}

export interface Bar {
  level: Level;
  /** Parts of the limit, 0 to 1: certainly used, and possibly used beyond that. */
  sure: number;
  maybe: number;
  used: string;
  left: string;
}

const NEARLY_USED = 0.9;

/** How a use between `low` and `high` stands to its limit, in `unit`; null: not known. */
export function bar(low: number | null, high: number | null, limit: number, unit: string): Bar {
  if (low === null || high === null) {
    return {
      level: "warning",
      sure: 0,
      maybe: 0,
      used: `use not known, limit ${amount(limit, limit)} ${unit}`,
      left: "",
    };
  }
  const part = (value: number): number => (limit > 0 ? Math.min(1, Math.max(0, value / limit)) : 1);
  const over = low > limit || (low === limit && limit >= 0);
  const mayBeOver = high >= limit;
  const left = range(Math.max(0, limit - high), Math.max(0, limit - low), limit);
  return {
    level: over ? "alarm" : mayBeOver || part(high) >= NEARLY_USED ? "warning" : "normal",
    sure: part(low),
    maybe: part(high) - part(low),
    used: `${range(low, high, limit)} of ${amount(limit, limit)} ${unit} used`,
    left: over
      ? "used up"
      : mayBeOver
        ? `at most ${amount(limit - low, limit)} ${unit} left`
        : `${left} ${unit} left`,
  };
}

export function quotaBar(quota: QuotaShown): Bar {
  const unit = quota.unit === "l" ? "L" : quota.unit;
  return bar(quota.used_low, quota.used_high, quota.limit, unit);
}

function rank(result: string): number {
  const at = RESULT_ORDER.indexOf(result);
  return at < 0 ? 0 : at;
}

function range(low: number, high: number, limit: number): string {
  const [from, to] = [amount(low, limit), amount(high, limit)];
  return from === to ? from : `${from} to ${to}`;
}

/** As many decimals as tell a thousandth of the limit, at most 3. */
function amount(value: number, limit: number): string {
  const decimals = limit > 0 ? Math.min(3, Math.max(0, 3 - Math.ceil(Math.log10(limit)))) : 0;
  const [whole = "", rest] = value.toFixed(decimals).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

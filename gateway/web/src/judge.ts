// Whether a point is normal, and in which words it is not. Pure.

import type { Point, Sample } from "./types";
import { formatSpan, formatWire, scaleOf, unitSuffix } from "./units";

export type Condition =
  "normal" | "absent" | "low" | "high" | "failure" | "check" | "spec" | "maintenance" | "stale";

/** A sample older than this many scans is stale. */
export const SCANS_UNTIL_STALE = 3;

// NAMUR NE 107
const BY_LETTER: Record<string, Condition> = {
  F: "failure",
  C: "check",
  S: "spec",
  M: "maintenance",
};

const WORDS: Record<Condition, string> = {
  normal: "normal",
  absent: "no value yet",
  low: "low",
  high: "high",
  failure: "failure",
  check: "function check",
  spec: "out of specification",
  maintenance: "maintenance required",
  stale: "old",
};

// What an operator looks at first stands first.
const SEVERITY: Condition[] = [
  "failure",
  "high",
  "low",
  "stale",
  "spec",
  "check",
  "maintenance",
  "absent",
  "normal",
];

/** Age counts before quality, and quality before the band: an old value says nothing of now. */
export function judge(
  point: Point,
  sample: Sample | undefined,
  nowMs: number,
  scanMs: number,
): Condition {
  if (sample === undefined) return "absent";
  if (nowMs - sample.timeMs > SCANS_UNTIL_STALE * scanMs) return "stale";
  if (sample.quality !== "good") return BY_LETTER[sample.quality.charAt(0)] ?? "failure";
  if (sample.value === null) return "failure";
  if (point.normal === null) return "normal";
  if (sample.value < point.normal[0]) return "low";
  if (sample.value > point.normal[1]) return "high";
  return "normal";
}

export function conditionWords(condition: Condition): string {
  return WORDS[condition];
}

export function severity(condition: Condition): number {
  return SEVERITY.indexOf(condition);
}

/** The part of a quality after its letter: "F:open" gives "open". */
export function qualityReason(quality: string): string {
  return quality === "good" ? "" : quality.slice(2);
}

/** The band in shown units: "1.73 to 1.97". */
export function bandText(point: Point, decimals: number): string {
  if (point.normal === null) return "";
  const [low, high] = point.normal;
  return `${formatWire(point.unit, low, decimals)} to ${formatWire(point.unit, high, decimals)}`;
}

/** Everything about a point's present state in one sentence, for ears and tooltips. */
export function describe(
  point: Point,
  sample: Sample | undefined,
  condition: Condition,
  nowMs: number,
  decimals: number,
): string {
  const unit = unitSuffix(scaleOf(point.unit));
  const parts: string[] = [];
  if (sample !== undefined && sample.value !== null) {
    parts.push(`${formatWire(point.unit, sample.value, decimals)}${unit}`);
  }
  // The letter and the reason as they are seen, for those who speak what they see.
  if (sample !== undefined && sample.quality !== "good") {
    parts.push(`${sample.quality.charAt(0)} ${qualityReason(sample.quality)}`.trim());
  }
  if (condition !== "normal") parts.push(WORDS[condition]);
  if (sample !== undefined && condition === "stale") {
    parts.push(`measured ${formatSpan(nowMs - sample.timeMs)} ago`);
  }
  if (condition === "low" || condition === "high") {
    parts.push(`normal ${bandText(point, decimals)}${unit}`);
  }
  return parts.join(", ");
}

// What ends, begins or falls due, in order, with the time left. Pure.

import type { CalendarEntry } from "../types";
import { formatSpan } from "../units";

export type Standing = "past" | "soon" | "later";

export interface Row {
  entry: CalendarEntry;
  standing: Standing;
  left: string;
}

export interface Group {
  standing: Standing;
  name: string;
  rows: Row[];
}

export const SOON_DAYS = 30;

const MS_PER_DAY = 86_400_000;

const WHAT: Record<string, string> = {
  "licence-ends": "Licence ends",
  "licence-begins": "Licence begins",
  "permit-ends": "Permit ends",
  review: "Rule to be reviewed",
  duty: "Duty due",
  "quota-period": "Quota period ends",
};

/** What somebody has to do; the rest happens by itself. */
const DUE = new Set(["duty", "review"]);

const GROUPS: [Standing, string][] = [
  ["past", "Past"],
  ["soon", `Within ${SOON_DAYS} days`],
  ["later", "Later"],
];

export const whatWords = (what: string): string => WHAT[what] ?? what;

/** A machine and the number of its licence. */
export interface Machine {
  id: string;
  licence: string | null;
}

/**
 * Soonest first, in groups that are not empty. With `machine`, its own entries, those of its
 * licence, and those that are everybody's.
 */
export function groups(
  entries: readonly CalendarEntry[],
  machine: Machine | null,
  nowMs: number,
): Group[] {
  const rows = entries
    .filter((entry) => machine === null || isOf(entry, machine))
    .sort((a, b) => a.at_ms - b.at_ms)
    .map((entry) => ({ entry, standing: standing(entry, nowMs), left: left(entry, nowMs) }));
  return GROUPS.map(([kind, name]) => ({
    standing: kind,
    name,
    rows: rows.filter((row) => row.standing === kind),
  })).filter((group) => group.rows.length > 0);
}

function isOf(entry: CalendarEntry, machine: Machine): boolean {
  if (entry.equipment !== null) return entry.equipment === machine.id;
  return entry.licence === null || entry.licence === machine.licence;
}

function standing(entry: CalendarEntry, nowMs: number): Standing {
  if (entry.at_ms <= nowMs) return "past";
  return entry.at_ms - nowMs <= SOON_DAYS * MS_PER_DAY ? "soon" : "later";
}

/** "in 12 days"; below two days to the minute. What was due and may not be done is past due. */
function left(entry: CalendarEntry, nowMs: number): string {
  const ms = entry.at_ms - nowMs;
  if (ms > 0) return `in ${span(ms)}`;
  return DUE.has(entry.what) ? `past due by ${span(-ms)}` : `${span(-ms)} ago`;
}

function span(ms: number): string {
  const days = Math.floor(ms / MS_PER_DAY);
  return days >= 2 ? `${days} days` : formatSpan(ms);
}

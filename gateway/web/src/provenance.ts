// What statements, receipts and witnesses vouch for, in the operator's words. Pure.

import type { AnchorState, NodeEvidence, Sample } from "./types";
import { formatCount, formatSpan } from "./units";
import { formatTime } from "./when";

export interface Words {
  text: string;
  level: "normal" | "warning";
}

/** A node that has signed nothing for so many of its intervals is to be looked at. */
export const STATEMENTS_UNTIL_LATE = 3;

/**
 * Whether no statement covers the sample yet. A scan is in the frame that closes after it, so that
 * only what is a scan older than the interval's end is surely in a covered frame.
 */
export function isProvisional(
  sample: Sample | undefined,
  coveredMs: number | null,
  scanMs: number,
): boolean {
  return sample !== undefined && (coveredMs === null || sample.timeMs + scanMs > coveredMs);
}

/** How long ago a node signed last. */
export function signedWords(
  proof: NodeEvidence | undefined,
  statementS: number,
  nowMs: number,
): Words {
  if (proof === undefined) return { text: "no word", level: "normal" };
  const last = proof.last_statement;
  const level = proof.state === "enrolled" ? "warning" : "normal";
  if (last === null) return { text: "not yet", level };
  if (last.time_ms === null) return { text: `no. ${formatCount(last.seq)}`, level };
  const ageMs = Math.max(0, nowMs - last.time_ms);
  const late = ageMs > STATEMENTS_UNTIL_LATE * statementS * 1000;
  return { text: `${formatSpan(ageMs)} ago`, level: late ? level : "normal" };
}

/** The newest receipt's number, and how many statements wait for theirs. */
export function receiptWords(proof: NodeEvidence | undefined): string {
  if (proof === undefined) return "";
  const last = proof.last_receipt === null ? "none" : formatCount(proof.last_receipt.seq);
  return proof.unreceipted > 0 ? `${last}, ${formatCount(proof.unreceipted)} open` : last;
}

const ANCHOR_STATES: Record<string, string> = {
  waiting: "has not answered yet",
  failing: "cannot be asked now",
  refused: "contradicts this log",
  files: "asked by stick",
};

/** How far an outsider vouches for the log, and what it has not seen. */
export function anchorWords(anchor: AnchorState): Words {
  const parts: string[] = [];
  const state = ANCHOR_STATES[anchor.state];
  if (state !== undefined) parts.push(state);
  if (anchor.size !== null && anchor.time_ms !== null) {
    parts.push(`${formatCount(anchor.size)} entries at ${formatTime(anchor.time_ms)}`);
  }
  parts.push(
    anchor.unwitnessed === 0
      ? "nothing unwitnessed"
      : `${formatCount(anchor.unwitnessed)} unwitnessed for ${formatSpan(anchor.unwitnessed_ms)}`,
  );
  const bad = anchor.state === "failing" || anchor.state === "refused";
  return { text: parts.join(", "), level: bad ? "warning" : "normal" };
}

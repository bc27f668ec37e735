import { describe, expect, it } from "vitest";
import { anchorWords, isProvisional, receiptWords, signedWords } from "../src/provenance";
import type { AnchorState, NodeEvidence } from "../src/types";

const NOW = 1_795_255_200_000;

function proof(over: Partial<NodeEvidence> = {}): NodeEvidence {
  return {
    node: "n01",
    keyid: "ab",
    state: "enrolled",
    boot: 1,
    online: true,
    clock: "S",
    last_statement: { seq: 31, type: "usage", time_ms: NOW - 12_000 },
    last_receipt: { seq: 30, index: 90 },
    covered_ms: NOW - 12_000,
    unreceipted: 0,
    chain: "ok",
    findings: [],
    ...over,
  };
}

function anchor(over: Partial<AnchorState> = {}): AnchorState {
  return {
    source: "witness.example/a",
    kind: "cosignature",
    state: "ok",
    size: 1200,
    time_ms: NOW,
    unwitnessed: 4,
    unwitnessed_ms: 9000,
    ...over,
  };
}

describe("a sample is provisional", () => {
  const sample = (ageMs: number): Parameters<typeof isProvisional>[0] => ({
    value: 1,
    quality: "good",
    timeMs: NOW - ageMs,
  });
  it.each([
    [0, true],
    [999, true],
    [1000, false],
    [60_000, false],
  ])("measured %i ms before the covered interval's end: %s", (age, wanted) => {
    expect(isProvisional(sample(age), NOW, 1000)).toBe(wanted);
  });
  it("while its node has signed for nothing", () => {
    expect(isProvisional(sample(60_000), null, 1000)).toBe(true);
  });
  it("only where there is one", () => {
    expect(isProvisional(undefined, null, 1000)).toBe(false);
  });
});

describe("the last statement", () => {
  it.each([
    [proof(), "12 s ago", "normal"],
    [
      proof({ last_statement: { seq: 2, type: "boot", time_ms: NOW - 31_000 } }),
      "31 s ago",
      "warning",
    ],
    [proof({ last_statement: { seq: 2, type: "boot", time_ms: null } }), "no. 2", "warning"],
    [proof({ last_statement: null }), "not yet", "warning"],
    [proof({ last_statement: null, state: "pending" }), "not yet", "normal"],
    [undefined, "no word", "normal"],
  ])("%#", (given, text, level) => {
    expect(signedWords(given, 10, NOW)).toEqual({ text, level });
  });
});

it("receipts name what is open", () => {
  expect(receiptWords(proof())).toBe("30");
  expect(receiptWords(proof({ unreceipted: 2, last_receipt: null }))).toBe("none, 2 open");
});

describe("a witness", () => {
  it.each([
    [anchor(), /^1.200 entries at .*, 4 unwitnessed for 9 s$/, "normal"],
    [anchor({ unwitnessed: 0 }), /, nothing unwitnessed$/, "normal"],
    [anchor({ state: "refused" }), /^contradicts this log, 1.200 entries/, "warning"],
    [anchor({ state: "failing" }), /^cannot be asked now, /, "warning"],
    [
      anchor({ state: "waiting", size: null, time_ms: null }),
      /^has not answered yet, 4 unwitnessed/,
      "normal",
    ],
  ])("%#", (given, text, level) => {
    const words = anchorWords(given);
    expect(words.text).toMatch(text);
    expect(words.level).toBe(level);
  });
});

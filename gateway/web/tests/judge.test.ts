import { describe, expect, it } from "vitest";
import { describe as inWords, judge } from "../src/judge";
import type { Point, Sample } from "../src/types";

const PH: Point = {
  id: "e01/ph",
  name: "ph",
  unit: "pH",
  range: [-1, 14],
  normal: [1.73, 1.97],
};
const NOW = 1_000_000;

function sample(value: number | null, quality = "good", ageMs = 0): Sample {
  return { value, quality, timeMs: NOW - ageMs };
}

describe("judge", () => {
  it.each([
    ["no sample", undefined, "absent"],
    ["in the band", sample(1.85), "normal"],
    ["on the lower edge", sample(1.73), "normal"],
    ["on the upper edge", sample(1.97), "normal"],
    ["below", sample(1.729), "low"],
    ["above", sample(1.971), "high"],
    ["failure", sample(null, "F:open"), "failure"],
    ["function check", sample(null, "C:calibrating"), "check"],
    ["out of specification", sample(null, "S:over-range"), "spec"],
    ["maintenance", sample(null, "M:slope"), "maintenance"],
    ["a letter NE 107 does not have", sample(null, "Q:what"), "failure"],
    ["good without a value", sample(null), "failure"],
    ["three scans old", sample(1.85, "good", 3000), "normal"],
    ["older than three scans", sample(1.85, "good", 3001), "stale"],
    ["old and failed", sample(null, "F:open", 9000), "stale"],
  ] as const)("%s", (_name, given, condition) => {
    expect(judge(PH, given, NOW, 1000)).toBe(condition);
  });

  it("knows no low or high without a band", () => {
    expect(judge({ ...PH, normal: null }, sample(99), NOW, 1000)).toBe("normal");
  });

  it("counts scans of the point's own node", () => {
    expect(judge(PH, sample(1.85, "good", 29_000), NOW, 10_000)).toBe("normal");
  });
});

describe("a state in words", () => {
  it.each([
    ["normal", sample(1.85), "1.85"],
    ["low", sample(1.4), "1.40, low, normal 1.73 to 1.97"],
    ["failure", sample(null, "F:open"), "F open, failure"],
    ["stale", sample(1.85, "good", 83_000), "1.85, old, measured 1 min 23 s ago"],
  ] as const)("%s", (condition, given, words) => {
    expect(inWords(PH, given, condition, NOW, 2)).toBe(words);
  });
});

import { describe, expect, it } from "vitest";
import { BUCKETS, formatChoice, parseChoice, refreshMs, SPANS, windowAt } from "../src/span";
import { backoffMs } from "../src/stream";
import { padded, tickTexts } from "../src/ticks";

describe("a trend's window", () => {
  it.each(SPANS.map((span) => [span.name, span] as const))(
    "%s holds now and stands on whole buckets",
    (_name, span) => {
      const now = 1_795_255_201_234;
      const { fromMs, toMs, widthMs } = windowAt(span, now);
      expect(toMs - fromMs).toBe(span.ms);
      expect(Number.isInteger(widthMs)).toBe(true);
      expect(widthMs * BUCKETS).toBe(span.ms);
      expect(toMs % widthMs).toBe(0);
      expect(toMs).toBeGreaterThan(now);
      expect(toMs - widthMs).toBeLessThanOrEqual(now);
    },
  );

  it("is asked for again between each 2 s and each minute", () => {
    expect(SPANS.map(refreshMs)).toEqual([2000, 8000, 48_000, 60_000, 60_000, 60_000]);
  });
});

describe("a trend's address", () => {
  const known = (point: string): boolean => point === "e01/ph";

  it("comes back as it was written", () => {
    for (const span of SPANS) {
      expect(parseChoice(formatChoice("e01/ph", span), known)).toEqual({ point: "e01/ph", span });
    }
  });

  it.each(["", "#", "#x", "#e99/ph,1h", "#e01/ph,1y", "#,,,", "#%"])(
    "%j gives defaults",
    (hash) => {
      const choice = parseChoice(hash, known);
      expect(SPANS).toContain(choice.span);
      expect(choice.point === null || choice.point === "e01/ph").toBe(true);
    },
  );
});

it("waits longer after each failure, up to ten seconds", () => {
  expect([0, 1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, 0))).toEqual([
    500, 1000, 2000, 4000, 8000, 10_000, 10_000,
  ]);
  expect(backoffMs(5, 0.999)).toBeGreaterThan(6000);
});

describe("axes", () => {
  it("gives ticks the decimals their distance needs", () => {
    expect(tickTexts([0, 0.25, 0.5])).toEqual(["0.00", "0.25", "0.50"]);
    expect(tickTexts([-1, 0, 1])).toEqual(["\u22121", "0", "1"]);
    expect(tickTexts([1.8])).toEqual(["1.8"]);
    expect(tickTexts([0.1 + 0.2, 0.5])).toEqual(["0.3", "0.5"]);
  });

  it("leaves room about a still line and none values out", () => {
    const [low, high] = padded([2, null, 2], 0.1);
    expect(low).toBeCloseTo(1.95);
    expect(high).toBeCloseTo(2.05);
    expect(padded([null], 1)).toEqual([0, 1]);
  });
});

import { describe, expect, it } from "vitest";
import type { Point } from "../src/types";
import {
  compareQuantities,
  decimalsFor,
  formatAge,
  formatBytes,
  formatCount,
  formatNumber,
  formatSpan,
  formatWire,
} from "../src/units";

function flow(high: number): Point {
  return { id: "e01/flow_aq", name: "flow_aq", unit: "l/s", range: [0, 1], normal: [0, high] };
}

describe("wire units to shown units", () => {
  it.each([
    ["pH", 1.851, "1.85"],
    ["S/m", 9.62, "96.2"],
    ["l/s", 1 / 3600, "1.00"],
    ["Cel", 25.04, "25.0"],
    ["K", 298.15, "25.0"],
    ["/", 0.523, "52"],
    ["Pa", 12_340, "12.3"],
    ["furlong", 2, "2.000"],
  ])("%s %d is shown as %s", (unit, value, shown) => {
    expect(formatWire(unit, value)).toBe(shown);
  });

  it("gives flows of a bench and of a plant three digits", () => {
    expect(decimalsFor([flow(1.1 / 3600)])).toBe(2);
    expect(decimalsFor([flow(62 / 3600)])).toBe(1);
    expect(decimalsFor([flow(3600 / 3600)])).toBe(0);
  });
});

describe("numbers as text", () => {
  it("has a minus sign and no negative zero", () => {
    expect(formatNumber(-0.412, 2)).toBe("\u22120.41");
    expect(formatNumber(-0.004, 2)).toBe("0.00");
  });

  it.each([
    [0, "0 s"],
    [-5, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [83_000, "1 min 23 s"],
    [3_600_000, "1 h"],
    [86_399_000, "23 h 59 min"],
    [180_000_000, "2 d 2 h"],
  ])("%d ms is %s", (ms, text) => {
    expect(formatSpan(ms)).toBe(text);
  });

  it("keeps the largest unit of an age", () => {
    expect(formatAge(83_000)).toBe("1 min");
  });

  it.each([
    [999, "999 B"],
    [1000, "1.0 kB"],
    [9_960, "10 kB"],
    [18_400_000, "18 MB"],
    [2e9, "2.0 GB"],
    [5e15, "5000 TB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("groups thousands", () => {
    expect(formatCount(1_234_567)).toBe("1\u202f234\u202f567");
    expect(formatCount(999)).toBe("999");
  });
});

it("orders quantities as operators read them", () => {
  const names = ["zeta", "run", "level", "temp", "cond", "ph", "alpha"];
  expect(names.sort(compareQuantities)).toEqual([
    "ph",
    "cond",
    "temp",
    "level",
    "run",
    "alpha",
    "zeta",
  ]);
});

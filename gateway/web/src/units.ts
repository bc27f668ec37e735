// From SenML wire units to the units operators read, and numbers, times and sizes as text. Pure.

import type { Point } from "./types";

export interface Scale {
  unit: string;
  factor: number;
  offset: number;
  decimals: number;
}

const SCALES: Record<string, Scale> = {
  pH: { unit: "pH", factor: 1, offset: 0, decimals: 2 },
  "S/m": { unit: "mS/cm", factor: 10, offset: 0, decimals: 1 },
  "l/s": { unit: "L/h", factor: 3600, offset: 0, decimals: 2 },
  Cel: { unit: "°C", factor: 1, offset: 0, decimals: 1 },
  K: { unit: "°C", factor: 1, offset: -273.15, decimals: 1 },
  "/": { unit: "%", factor: 100, offset: 0, decimals: 0 },
  "1/s": { unit: "1/s", factor: 1, offset: 0, decimals: 1 },
  Pa: { unit: "kPa", factor: 0.001, offset: 0, decimals: 1 },
};

const NAMES: Record<string, [string, string]> = {
  ph: ["pH", "pH"],
  cond: ["Conductivity", "Cond."],
  flow_aq: ["Aqueous flow", "Aq."],
  flow_org: ["Organic flow", "Org."],
  temp: ["Temperature", "Temp."],
  level: ["Level", "Level"],
  dp: ["Pressure drop", "dp"],
  rad: ["Radiation count", "Rad."],
  run: ["Running", "Run"],
};

const ORDER = Object.keys(NAMES);

export function scaleOf(wireUnit: string): Scale {
  return SCALES[wireUnit] ?? { unit: wireUnit, factor: 1, offset: 0, decimals: 3 };
}

export function toShown(scale: Scale, value: number): number {
  return value * scale.factor + scale.offset;
}

/** The unit beside a number, with a blank; empty for pH, whose name is its unit. */
export function unitSuffix(scale: Scale): string {
  return scale.unit === "pH" || scale.unit === "" ? "" : ` ${scale.unit}`;
}

/** Flows differ a thousandfold between a bench and a plant: three digits of the normal band. */
export function decimalsFor(points: readonly Point[]): number {
  const first = points[0];
  if (first === undefined) return 0;
  const scale = scaleOf(first.unit);
  if (first.unit !== "l/s") return scale.decimals;
  const highs = points.map((point) => Math.abs(toShown(scale, (point.normal ?? point.range)[1])));
  const largest = Math.max(...highs);
  if (!(largest > 0)) return scale.decimals;
  return Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(largest))));
}

/** A number with a real minus sign and never "-0". */
export function formatNumber(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  if (Number(text) === 0) return (0).toFixed(decimals);
  return text.replace("-", "\u2212");
}

export function formatWire(wireUnit: string, value: number, decimals?: number): string {
  const scale = scaleOf(wireUnit);
  return formatNumber(toShown(scale, value), decimals ?? scale.decimals);
}

export function quantityName(name: string): string {
  return NAMES[name]?.[0] ?? name;
}

export function quantityShort(name: string): string {
  return NAMES[name]?.[1] ?? name;
}

/** Known quantities in the order operators read them, then the rest by name. */
export function compareQuantities(a: string, b: string): number {
  const rank = (name: string): number => {
    const at = ORDER.indexOf(name);
    return at < 0 ? ORDER.length : at;
  };
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** A span in its two largest units: "12 s", "1 min 23 s", "23 h 5 min", "6 d 2 h". */
export function formatSpan(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return pair(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86_400) return pair(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return pair(Math.floor(s / 86_400), "d", Math.floor((s % 86_400) / 3600), "h");
}

/** A span in its largest unit, for narrow places. */
export function formatAge(ms: number): string {
  return formatSpan(ms).split(" ").slice(0, 2).join(" ");
}

export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${value.toFixed(at > 0 && value < 9.95 ? 1 : 0)} ${units[at] ?? ""}`;
}

export function formatCount(count: number): string {
  return String(Math.trunc(count)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function pair(a: number, unitA: string, b: number, unitB: string): string {
  return b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
}

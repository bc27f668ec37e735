// Ranges and tick labels of value axes. Pure.

import { formatNumber } from "./units";

/** Tick labels with as many decimals as their distance needs. */
export function tickTexts(splits: readonly number[]): string[] {
  const distance = Math.abs((splits[1] ?? 0) - (splits[0] ?? 0));
  let decimals = 0;
  while (
    decimals < 4 &&
    Math.abs(distance * 10 ** decimals - Math.round(distance * 10 ** decimals)) > 1e-6
  ) {
    decimals += 1;
  }
  return splits.map((value) => formatNumber(value, decimals));
}

/** Distances of 1, 2 or 5 times a power of ten. */
export const INCREMENTS: number[] = [-4, -3, -2, -1, 0, 1, 2, 3, 4].flatMap((exponent) =>
  [1, 2, 5].map((digit) => digit * 10 ** exponent),
);

/** The lowest and highest of `values` with a margin, so that a still line is a line. */
export function padded(values: readonly (number | null)[], leastSpan: number): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  const margin = Math.max((high - low) * 0.08, (leastSpan - (high - low)) / 2, 1e-9);
  return [low - margin, high + margin];
}

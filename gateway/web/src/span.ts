// The spans a trend can show, their buckets, and its place in the address. Pure.

export interface Span {
  id: string;
  name: string;
  ms: number;
}

export const SPANS: readonly Span[] = [
  { id: "15min", name: "15 min", ms: 900_000 },
  { id: "1h", name: "1 h", ms: 3_600_000 },
  { id: "6h", name: "6 h", ms: 21_600_000 },
  { id: "24h", name: "24 h", ms: 86_400_000 },
  { id: "7d", name: "7 d", ms: 604_800_000 },
  { id: "30d", name: "30 d", ms: 2_592_000_000 },
];

/** Divides every span into whole milliseconds, with at least two pixels a bucket on most screens. */
export const BUCKETS = 450;

export interface Window {
  fromMs: number;
  toMs: number;
  widthMs: number;
}

/** Buckets on whole multiples of their width, the last one holding `nowMs`: they do not crawl. */
export function windowAt(span: Span, nowMs: number): Window {
  const widthMs = span.ms / BUCKETS;
  const toMs = (Math.floor(nowMs / widthMs) + 1) * widthMs;
  return { fromMs: toMs - span.ms, toMs, widthMs };
}

/** How often a trend asks again: once a bucket, within 2 s and a minute. */
export function refreshMs(span: Span): number {
  return Math.min(60_000, Math.max(2000, span.ms / BUCKETS));
}

export interface Choice {
  point: string | null;
  span: Span;
}

/** From the part of the address after "#": "e01/ph,1h", in any part unknown: the default. */
export function parseChoice(hash: string, known: (point: string) => boolean): Choice {
  const [point = "", id = ""] = decoded(hash.replace(/^#/, "")).split(",");
  const span = SPANS.find((candidate) => candidate.id === id) ?? defaultSpan();
  return { point: known(point) ? point : null, span };
}

export function formatChoice(point: string, span: Span): string {
  return `#${point},${span.id}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function defaultSpan(): Span {
  const first = SPANS[0];
  if (first === undefined) throw new Error("no spans");
  return first;
}

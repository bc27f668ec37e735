// Kinds, keys and rows of the registry in words, and the search among them. Pure.

import type { DocumentRow, Field } from "./types";

const LABELS: Record<string, string> = {
  id: "Id",
  sha256: "SHA-256",
  replaces: "Replaces (SHA-256 of the version before)",
  grace_s: "Grace, seconds",
  country: "Country (ISO 3166, two capitals)",
  reo_g_per_l: "REO, g/L",
  mass_fraction: "Mass fraction, 0 to 1",
  margin_percent: "Margin, %",
  purity_percent: "Purity, %",
  purity_max_percent: "Purity at most, %",
  share_percent: "Share, %",
  to_whom: "To whom",
  equipment: "Equipment (serials)",
};

export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ");
  return LABELS[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

export function kindName(kind: string): string {
  const words = kind.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What may be written into a field, in a few words. */
export function hintOf(field: Field): string {
  const one = oneHint(field);
  if (!field.many || field.kind === "word") return one;
  return one === "" ? "one a line" : `one a line: ${one}`;
}

/** Rows whose kind is `kind` ("" for all) and that hold every word of `asked` somewhere. */
export function search(
  rows: readonly DocumentRow[],
  kind: string,
  asked: string,
  allVersions: boolean,
): DocumentRow[] {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (kind !== "" && row.kind !== kind) return false;
    if (!allVersions && !row.newest) return false;
    const text = [row.kind, row.name, row.title, row.sha256, row.state, row.signed_by ?? ""]
      .join(" ")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Who vouches: by a copy of the auditor's policy, where the gateway was given one. */
export function vouchWords(row: DocumentRow, policy: boolean): string {
  const key = row.signed_by?.slice(0, 16) ?? "";
  if (row.vouched === "list") return "the policy lists it";
  if (row.vouched === "signature") return `key ${key} of the policy signed it`;
  const kept = key === "" ? "no signature kept" : `signature kept of key ${key}`;
  return policy ? `nobody whom the policy names; ${kept}` : `${kept}, not judged here`;
}

export function likeWords(score: number): string {
  return score >= 100
    ? "the same but for case, accents, punctuation and the company's form"
    : `likeness ${score} of 100`;
}

function oneHint(field: Field): string {
  switch (field.kind) {
    case "time":
      return field.end
        ? "2026-11-01 (to its end) or 2026-11-01T10:00:00Z"
        : "2026-11-01 or 2026-11-01T10:00:00Z";
    case "instant":
      return "2026-11-01T00:00:00Z";
    case "day":
      return "2026-11-01";
    case "number":
    case "integer":
      return field.low !== null && field.high !== null && field.high < 1e6
        ? `${field.low} to ${field.high}`
        : "";
    case "digest":
      return "64 digits 0-9 a-f";
    case "name":
      return "A-Z a-z 0-9 . _ / -";
    default:
      return "";
  }
}

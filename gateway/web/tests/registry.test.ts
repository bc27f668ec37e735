import { describe, expect, it } from "vitest";
import { hintOf, kindName, labelOf, search, vouchWords } from "../src/registry/words";
import type { DocumentRow, Field } from "../src/registry/types";

function row(over: Partial<DocumentRow>): DocumentRow {
  return {
    kind: "lot",
    name: "LOT-17",
    version: 1,
    sha256: "5e".repeat(32),
    replaces: null,
    index: 7,
    time_ms: 0,
    state: "kept",
    changed: 7,
    newest: true,
    vouched: null,
    signed_by: null,
    title: "",
    ...over,
  };
}

function field(over: Partial<Field>): Field {
  return {
    name: "mass",
    kind: "text",
    needed: false,
    many: false,
    end: false,
    choices: [],
    open: false,
    chars_max: null,
    low: null,
    high: null,
    fields: [],
    ...over,
  };
}

describe("search", () => {
  const rows = [
    row({}),
    row({ kind: "party", name: "magnet-works", title: "Magnet Works \u78c1\u94a2\u5382" }),
    row({ name: "LOT-16", newest: false, sha256: "ab".repeat(32), signed_by: "3f9a".repeat(16) }),
  ];
  const names = (kind: string, asked: string, all = false): string[] =>
    search(rows, kind, asked, all).map((one) => one.name);

  it("finds every word anywhere in a row, in any case and script", () => {
    expect(names("", "")).toEqual(["LOT-17", "magnet-works"]);
    expect(names("", "MAGNET works")).toEqual(["magnet-works"]);
    expect(names("", "\u78c1\u94a2")).toEqual(["magnet-works"]);
    expect(names("", "lot magnet")).toEqual([]);
    expect(names("", "5e5e5e")).toEqual(["LOT-17", "magnet-works"]);
  });

  it("keeps to a kind, and to newest versions unless asked", () => {
    expect(names("lot", "")).toEqual(["LOT-17"]);
    expect(names("lot", "", true)).toEqual(["LOT-17", "LOT-16"]);
    expect(names("", "3f9a3f9a", true)).toEqual(["LOT-16"]);
  });
});

describe("words", () => {
  it("name keys and kinds", () => {
    expect(labelOf("end_use")).toBe("End use");
    expect(labelOf("purity_percent")).toBe("Purity, %");
    expect(kindName("end-user-certificate")).toBe("End user certificate");
  });

  it.each([
    [{ kind: "time" }, "2026-11-01 or 2026-11-01T10:00:00Z"],
    [{ kind: "time", end: true }, "2026-11-01 (to its end) or 2026-11-01T10:00:00Z"],
    [{ kind: "integer", low: 1, high: 10 }, "1 to 10"],
    [{ kind: "number", low: 0, high: 1e12 }, ""],
    [{ many: true }, "one a line"],
    [{ kind: "digest", many: true }, "one a line: 64 digits 0-9 a-f"],
    [{ kind: "word", many: true, choices: ["a"] }, ""],
  ])("hint at what fits %o", (over, words) => {
    expect(hintOf(field(over))).toBe(words);
  });

  it.each([
    [null, null, false, "no signature kept, not judged here"],
    [null, "3f9a", false, "signature kept of key 3f9a3f9a3f9a3f9a, not judged here"],
    [null, null, true, "nobody whom the policy names; no signature kept"],
    [null, "3f9a", true, "nobody whom the policy names; signature kept of key 3f9a3f9a3f9a3f9a"],
    ["list", null, true, "the policy lists it"],
    ["signature", "3f9a", true, "key 3f9a3f9a3f9a3f9a of the policy signed it"],
  ])("tell who vouches: %s, %s, policy %s", (vouched, key, policy, words) => {
    const signed_by = key === null ? null : key.repeat(16);
    expect(vouchWords(row({ vouched, signed_by }), policy)).toBe(words);
  });
});

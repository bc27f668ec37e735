import { describe, expect, it } from "vitest";
import { places, rowsOf } from "../src/flow";
import type { Section } from "../src/types";

function section(kind: string, letter: string, count: number): Section {
  const stages = Array.from({ length: count }, (_, k) => ({
    id: `${letter}${String(k + 1).padStart(2, "0")}`,
    node: "n01",
    points: [],
  }));
  return { id: kind, kind, name: kind, stages };
}

const CASCADE = [section("extraction", "e", 6), section("scrub", "s", 6), section("strip", "t", 4)];

function liquids(sections: Section[]): string[] {
  return places(sections).flatMap((place) =>
    place.liquids.map((l) => `${l.label} ${l.way} ${place.stage.id}`),
  );
}

describe("the flow of a cascade", () => {
  it("names each stream where it enters or leaves", () => {
    expect(liquids(CASCADE)).toEqual([
      "Organic in in e01",
      "Raffinate out e01",
      "Feed in e06",
      "Scrub acid in s06",
      "Product out t01",
      "Strip acid in t04",
      "Organic out out t04",
    ]);
  });

  it("takes organic on through all sections", () => {
    const from = places(CASCADE).filter((place) => place.fromPrevious);
    expect(from).toHaveLength(15);
  });

  it("takes scrub liquor to the extraction section and strip liquor nowhere", () => {
    const to = Object.fromEntries(
      places(CASCADE).map((place) => [place.stage.id, place.toPrevious]),
    );
    expect(to).toMatchObject({ e01: false, e02: true, s01: true, t01: false, t02: true });
  });

  it("ends the organic before an outfall, which has no streams to name", () => {
    const all = [...CASCADE, section("outfall", "o", 1)];
    expect(liquids(all)).toEqual(liquids(CASCADE));
    const outfall = places(all).at(-1);
    expect(outfall).toMatchObject({ fromPrevious: false, toPrevious: false, liquids: [] });
  });

  it("keeps columns apart from the cascade before them", () => {
    expect(liquids([section("extraction", "e", 1), section("column", "c", 2)])).toEqual([
      "Organic in in e01",
      "Raffinate out e01",
      "Feed in e01",
      "Organic out out e01",
      "Feed in c01",
      "Effluent out c02",
    ]);
  });
});

describe("rows", () => {
  const ids = (most: number): string[] =>
    rowsOf(places(CASCADE), most).map(
      (row) => `${row[0]?.stage.id ?? ""}-${row.at(-1)?.stage.id ?? ""}`,
    );

  it.each([
    [16, ["e01-t04"]],
    [13, ["e01-s06", "t01-t04"]],
    [11, ["e01-e06", "s01-t04"]],
    [4, ["e01-e04", "e05-e06", "s01-s04", "s05-s06", "t01-t04"]],
  ])("at most %d stages", (most, rows) => {
    expect(ids(most)).toEqual(rows);
  });

  it("loses no stage at any width", () => {
    for (let most = 1; most <= 20; most += 1) {
      const rows = rowsOf(places(CASCADE), most);
      expect(rows.flat()).toHaveLength(16);
      expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(most);
    }
  });
});

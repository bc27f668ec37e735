import { describe, expect, it } from "vitest";
import { groups, whatWords } from "../src/calendar/entries";
import type { CalendarEntry } from "../src/types";

const NOW = 1_795_255_200_000;
const DAY = 86_400_000;

function entry(days: number, what = "duty", equipment: string | null = "bat-ext"): CalendarEntry {
  return { at_ms: NOW + days * DAY, what, equipment, licence: null, text: `${days}` };
}

const texts = (id: string | null, entries: CalendarEntry[]): string[] =>
  groups(entries, id === null ? null : { id, licence: `L-${id}` }, NOW).flatMap((group) =>
    group.rows.map((row) => row.entry.text),
  );

describe("calendar", () => {
  it("is sorted and grouped by what is past, soon and later", () => {
    const found = groups([entry(40), entry(-3), entry(1), entry(30), entry(0)], null, NOW);
    expect(found.map((group) => [group.standing, group.rows.map((row) => row.entry.text)])).toEqual(
      [
        ["past", ["-3", "0"]],
        ["soon", ["1", "30"]],
        ["later", ["40"]],
      ],
    );
  });

  it("leaves out groups without entries, and is empty without any", () => {
    expect(groups([entry(5)], null, NOW).map((group) => group.standing)).toEqual(["soon"]);
    expect(groups([], null, NOW)).toEqual([]);
    expect(groups([entry(5)], { id: "bat-strip", licence: null }, NOW)).toEqual([]);
  });

  it("keeps what is no single machine's under every machine", () => {
    const all = [entry(1), entry(2, "review", null), entry(3, "duty", "bat-strip")];
    expect(texts("bat-ext", all)).toEqual(["1", "2"]);
    expect(texts("bat-strip", all)).toEqual(["2", "3"]);
    expect(texts(null, all)).toEqual(["1", "2", "3"]);
  });

  it("keeps what is a licence's under the machines of that licence", () => {
    const all = [{ ...entry(1, "review", null), licence: "L-bat-ext" }];
    expect(texts("bat-ext", all)).toEqual(["1"]);
    expect(texts("bat-strip", all)).toEqual([]);
    expect(texts(null, all)).toEqual(["1"]);
  });

  it.each([
    [40, "duty", "in 40 days"],
    [1.5, "duty", "in 1 d 12 h"],
    [0.125, "permit-ends", "in 3 h"],
    [-3, "duty", "past due by 3 days"],
    [-0.5, "review", "past due by 12 h"],
    [-3, "licence-ends", "3 days ago"],
    [-0.125, "quota-period", "3 h ago"],
  ])("says of %f days and %s: %s", (days, what, words) => {
    expect(groups([entry(days, what)], null, NOW)[0]?.rows[0]?.left).toBe(words);
  });

  it("does not sort the gateway's own list", () => {
    const given = [entry(2), entry(1)];
    groups(given, null, NOW);
    expect(given.map((one) => one.text)).toEqual(["2", "1"]);
  });

  it("names what it knows, and shows what it does not as it is", () => {
    expect(whatWords("review")).toBe("Rule to be reviewed");
    expect(whatWords("eclipse")).toBe("eclipse");
  });
});

import { describe, expect, it } from "vitest";
import { mostUrgent } from "../src/licences/card";
import {
  bar,
  quotaBar,
  quotaName,
  resultWords,
  weakestEvidence,
  wholeWords,
  worstFirst,
} from "../src/licences/words";
import { permission, stateWords } from "../src/words";
import type { ConditionShown, EquipmentEvidence, LicenceShown, QuotaShown } from "../src/types";

function condition(code: string, result: string, evidence: string | null = null): ConditionShown {
  return {
    code,
    result,
    class: "D",
    text: "",
    inputs: [],
    rule: null,
    evidence,
    waived: null,
    withholds: false,
  };
}

function decision(conditions: ConditionShown[]) {
  return { result: "FAIL", at_ms: 0, conditions, recorded: [] };
}

describe("what is left", () => {
  it.each([
    [73.3, 73.3, 4000, "h", "normal", "73 of 4\u202f000 h used", "3\u202f927 h left"],
    [41.2, 47.9, 50, "kg", "warning", "41.2 to 47.9 of 50.0 kg used", "2.1 to 8.8 kg left"],
    [10, 20, 50, "kg", "normal", "10.0 to 20.0 of 50.0 kg used", "30.0 to 40.0 kg left"],
    [45, 55, 50, "kg", "warning", "45.0 to 55.0 of 50.0 kg used", "at most 5.0 kg left"],
    [50, 50, 50, "kg", "alarm", "50.0 of 50.0 kg used", "used up"],
    [60, 70, 50, "kg", "alarm", "60.0 to 70.0 of 50.0 kg used", "used up"],
    [0, 0, 0, "kg", "alarm", "0 of 0 kg used", "used up"],
    [0.0001, 0.0002, 0.5, "kg", "normal", "0.000 of 0.500 kg used", "0.500 kg left"],
  ])("between %f and %f of %f %s", (low, high, limit, unit, level, used, left) => {
    expect(bar(low, high, limit, unit)).toMatchObject({ level, used, left });
  });

  it("is not claimed where the use is not known", () => {
    const found = bar(null, 3, 800, "kg");
    expect(found).toMatchObject({ level: "warning", sure: 0, maybe: 0, left: "" });
    expect(found.used).toBe("use not known, limit 800 kg");
  });

  it.each([
    [10, 20, 50],
    [45, 55, 50],
    [60, 70, 50],
    [0, 0, 0],
  ])("bars of %f to %f of %f stay within their frame", (low, high, limit) => {
    const { sure, maybe } = bar(low, high, limit, "h");
    expect(sure).toBeGreaterThanOrEqual(0);
    expect(maybe).toBeGreaterThanOrEqual(0);
    expect(sure + maybe).toBeLessThanOrEqual(1);
  });

  it("names its quantity and litres by their usual letter", () => {
    const quota: QuotaShown = {
      quantity: "reagent-kg",
      reagent: "HCl",
      unit: "l",
      limit: 10,
      used_low: 1,
      used_high: 1,
      period: "year",
      period_start_ms: 0,
      period_end_ms: 1,
      binds: "verdict",
    };
    expect(quotaName(quota)).toBe("Reagent HCl");
    expect(quotaName({ ...quota, quantity: "run-h", reagent: null })).toBe("Running time");
    expect(quotaBar(quota).used).toContain(" L used");
  });
});

describe("conditions", () => {
  it("stand worst first, and in their order within a result", () => {
    const found = worstFirst([
      condition("a", "PASS"),
      condition("b", "INSUFFICIENT"),
      condition("c", "FAIL"),
      condition("d", "EXPIRED-RULE"),
      condition("e", "FAIL"),
      condition("f", "SOMETHING-NEW"),
    ]);
    expect(found.map((one) => one.code)).toEqual(["c", "e", "f", "d", "b", "a"]);
  });

  it("tell the weakest evidence among their rules", () => {
    const levels = (...found: (string | null)[]): string | null =>
      weakestEvidence(decision(found.map((level) => condition("a", "PASS", level))));
    expect(levels("legal", "reported", null)).toBe("reported");
    expect(levels("announced", "legal")).toBe("announced");
    expect(levels("legal", "rumoured")).toBe("rumoured");
    expect(levels(null)).toBeNull();
    expect(levels("legal", "gossip")).toBe("unknown");
  });

  it.each(["PASS", "FAIL", "INSUFFICIENT", "EXPIRED-RULE"])("explain %s", (result) => {
    expect(resultWords(result).text).toBe(result);
    expect(wholeWords(result)).not.toBe("an unknown result");
    expect(resultWords(result).level === "normal").toBe(result === "PASS");
  });
});

describe("states", () => {
  const states = ["compliant", "grace", "start-inhibit", "orderly-stop-requested", "bypass"];

  it.each(states)("%s never says that something running is stopped", (state) => {
    const words = stateWords(state);
    expect(words).not.toMatch(/(will|is|are|be) (stopped|tripped|shut)/i);
    expect(words).not.toBe(stateWords("unheard-of"));
  });

  it("tell a bypass by a key", () => {
    expect(permission(machine("a", "bypass", null), 0)).toMatchObject({
      level: "alarm",
      icon: "key",
    });
  });
});

function machine(id: string, state: string, result: string | null): EquipmentEvidence {
  const licence = result === null ? null : ({ decision: { result } } as unknown as LicenceShown);
  return {
    id,
    name: id,
    serial: id,
    node: "n01",
    run: true,
    state,
    reason: "",
    licence,
    permit: null,
    registers: null,
    last_denial: null,
  };
}

describe("the machine shown first", () => {
  it("is the one whose starts are in question, then the one with the worst verdict", () => {
    const a = machine("a", "compliant", "PASS");
    const b = machine("b", "compliant", "FAIL");
    const c = machine("c", "grace", "PASS");
    expect(mostUrgent([a, b, c], 0)).toBe("c");
    expect(mostUrgent([a, b], 0)).toBe("b");
    expect(mostUrgent([a], 0)).toBe("a");
    expect(mostUrgent([], 0)).toBeNull();
  });
});

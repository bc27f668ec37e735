import { describe, expect, it } from "vitest";
import { Store } from "../src/store";
import type { EquipmentEvidence, Health, Plant } from "../src/types";
import {
  gatewayRemarks,
  permission,
  plantRemarks,
  reasonWords,
  registersWords,
} from "../src/words";

const NOW = 1_000_000_000;

function machine(state: string, endsInMs: number | null): EquipmentEvidence {
  return {
    id: "bat-strip",
    name: "Strip battery",
    serial: "MS6-2043",
    node: "n01",
    run: true,
    state,
    reason: "",
    licence: null,
    permit:
      endsInMs === null
        ? null
        : {
            serial: 1,
            not_before_ms: 0,
            not_after_ms: NOW + endsInMs,
            grace_ms: 20_000,
            run_ms_limit: null,
          },
    registers: null,
    last_denial: null,
  };
}

const PLANT: Plant = {
  site: "ndpr",
  name: "La/Nd",
  note: "",
  sections: [],
  nodes: ["n01", "n02"].map((id) => ({
    id,
    board: "unix",
    stages: [],
    scan_ms: 1000,
    statement_s: 10,
  })),
  equipment: [],
};

function health(over: Partial<Health> = {}): Health {
  return {
    time_ms: NOW,
    broker: { state: "connected", detail: "" },
    ingest: { state: "ok", detail: "", queue: 0 },
    archive: { bytes: 0, bytes_max: 1 },
    series: { bytes: 0, bytes_max: 1, lag: 0 },
    influx: null,
    nodes: PLANT.nodes.map(({ id }) => ({
      node: id,
      online: true,
      last_frame_ms: NOW - 500,
      frames: 1,
      rejected: 0,
      findings: [],
    })),
    warnings: [],
    ...over,
  };
}

describe("start permission", () => {
  it.each([
    ["compliant", 3_600_000, "normal", "Start permitted, permit ends in 1 h"],
    ["compliant", -5000, "warning", "Grace: starts refused in 15 s"],
    ["grace", -5000, "warning", "Grace: starts refused in 15 s"],
    ["start-inhibit", -60_000, "alarm", "Start refused for 40 s"],
    ["start-inhibit", null, "alarm", "Start refused"],
    ["orderly-stop-requested", -60_000, "alarm", "Orderly stop requested for 40 s"],
    ["unknown", null, "warning", "Permission not known"],
  ] as const)("%s, permit ending in %d ms", (state, endsInMs, level, text) => {
    expect(permission(machine(state, endsInMs), NOW)).toMatchObject({ level, text });
  });
});

it.each([
  [72_000, "ran 1 min 12 s, 3 starts, 0.4 L"],
  [3_600_000, "ran 1.0 h, 3 starts, 0.4 L"],
  [264_000_000, "ran 73.3 h, 3 starts, 0.4 L"],
])("a run of %d ms is told as %s", (run_ms, words) => {
  const registers = { run_ms, starts: 3, volume_ml: 412 };
  expect(registersWords({ ...machine("compliant", 1), registers })).toBe(words);
});

it("tells a refusal's reason in words, and an unknown one as it is", () => {
  expect(reasonWords("permit-ended")).toBe("the permit had ended");
  expect(reasonWords("new-reason")).toBe("new-reason");
});

describe("remarks", () => {
  it("are none where all is normal", () => {
    const evidence = {
      log: null,
      nodes: [],
      equipment: [machine("compliant", 60_000)],
      anchors: [],
      problems: [],
    };
    expect(gatewayRemarks(health())).toEqual([]);
    expect(plantRemarks(PLANT, health(), evidence, NOW)).toEqual([]);
  });

  it("name the gateway's parts", () => {
    const state = health({
      broker: { state: "kicked", detail: "" },
      ingest: { state: "storage-full", detail: "The disk is full.", queue: 3 },
      influx: { state: "down", detail: "", lag: 9, quarantined: 0 },
      warnings: ["The disk is full.", "The archive is 92 % full."],
    });
    expect(gatewayRemarks(state).map((remark) => `${remark.level} ${remark.text}`)).toEqual([
      "alarm Broker: another client took this gateway's name",
      "alarm Ingest: storage full; nodes keep their data",
      "warning InfluxDB: not reachable",
      "warning The archive is 92 % full.",
    ]);
  });

  it("put nodes with the same fault together", () => {
    const silent = health();
    for (const node of silent.nodes) node.last_frame_ms = NOW - 83_000;
    expect(plantRemarks(PLANT, silent, null, NOW).map((remark) => remark.text)).toEqual([
      "Nodes n01, n02: no data for 1 min 23 s",
    ]);
  });
});

describe("the store's time", () => {
  it("is the gateway's, and goes on while the gateway is silent", () => {
    let device = 5000;
    const store = new Store(PLANT, () => device);
    store.takeLatest({
      time_ms: NOW,
      points: [
        { point: "e01/ph", value: 1, quality: "good", time: new Date(NOW - 400).toISOString() },
      ],
    });
    expect(store.dataAgeMs()).toBe(400);
    device += 6000;
    expect(store.nowMs()).toBe(NOW + 6000);
    expect(store.dataAgeMs()).toBe(6400);
    expect(store.silentMs()).toBe(6000);
  });

  it("is not moved back by older samples", () => {
    const store = new Store(PLANT, () => 0);
    const sample = (ageMs: number) => ({
      time_ms: NOW,
      points: [
        { point: "p", value: 1, quality: "good", time: new Date(NOW - ageMs).toISOString() },
      ],
    });
    store.takeLatest(sample(100));
    store.takeLatest(sample(9000));
    expect(store.dataAgeMs()).toBe(100);
  });
});

// The API's JSON as docs/api.md describes it. Times named *_ms are UTC milliseconds.

export interface Point {
  id: string;
  name: string;
  unit: string;
  range: [number, number];
  normal: [number, number] | null;
}

export interface Stage {
  id: string;
  node: string;
  points: Point[];
}

export interface Section {
  id: string;
  kind: string;
  name: string;
  stages: Stage[];
}

export interface PlantNode {
  id: string;
  board: string;
  stages: string[];
  scan_ms: number;
  statement_s: number;
}

export interface PlantEquipment {
  id: string;
  name: string;
  maker: string;
  model: string;
  serial: string;
  stages: string[];
}

export interface Plant {
  site: string;
  name: string;
  note: string;
  sections: Section[];
  nodes: PlantNode[];
  equipment: PlantEquipment[];
}

export interface SampleJson {
  point: string;
  value: number | null;
  quality: string;
  time: string;
}

export interface Sample {
  value: number | null;
  quality: string;
  timeMs: number;
}

export interface LatestEvent {
  time_ms: number;
  points: SampleJson[];
}

export interface History {
  point: string;
  unit: string;
  from: string;
  to: string;
  width_ms: number;
  count: number[];
  min: (number | null)[];
  max: (number | null)[];
  mean: (number | null)[];
}

export interface NodeHealth {
  node: string;
  online: boolean | null;
  last_frame_ms: number | null;
  frames: number;
  rejected: number;
  findings: string[];
}

export interface Health {
  time_ms: number;
  broker: { state: string; detail: string };
  ingest: { state: string; detail: string; queue: number };
  archive: { bytes: number; bytes_max: number };
  series: { bytes: number; bytes_max: number; lag: number };
  influx: { state: string; detail: string; lag: number; quarantined: number } | null;
  nodes: NodeHealth[];
  warnings: string[];
}

export interface NodeEvidence {
  node: string;
  keyid: string | null;
  state: string;
  boot: number | null;
  online: boolean | null;
  clock: string | null;
  last_statement: { seq: number; type: string; time_ms: number | null } | null;
  last_receipt: { seq: number; index: number } | null;
  covered_ms: number | null;
  unreceipted: number;
  chain: string;
  findings: string[];
}

export interface EquipmentEvidence {
  id: string;
  name: string;
  serial: string;
  node: string;
  run: boolean | null;
  state: string;
  reason: string;
  licence: LicenceShown | null;
  permit: {
    serial: number;
    not_before_ms: number;
    not_after_ms: number;
    grace_ms: number;
    run_ms_limit: number | null;
    volume_ml_limit?: number | null;
    run_ms_left?: number | null;
    volume_ml_left?: number | null;
    withdrawn?: boolean;
  } | null;
  registers: { run_ms: number; starts: number; volume_ml: number } | null;
  last_denial: { kind: string; reason: string; time_ms: number | null; count: number } | null;
  bypass?: { since_ms: number; index: number | null } | null;
  to_acknowledge?: string[];
  acknowledgements?: AcknowledgementShown[];
}

/** One condition of a decision; `inputs` are pairs of name and value. */
export interface ConditionShown {
  code: string;
  result: string;
  class: string;
  text: string;
  inputs: string[][];
  rule: string | null;
  evidence: string | null;
  waived: string | null;
  withholds: boolean;
}

export interface DecisionShown {
  result: string;
  at_ms: number;
  conditions: ConditionShown[];
  recorded: string[];
}

export interface QuotaShown {
  quantity: string;
  reagent: string | null;
  unit: string;
  limit: number;
  used_low: number | null;
  used_high: number | null;
  period: string;
  period_start_ms: number;
  period_end_ms: number;
  binds: string;
}

export interface LicenceShown {
  number: string;
  version: number;
  sha256: string;
  issuer: string;
  kind: string;
  from_ms: number;
  to_ms: number;
  in_force: boolean;
  revoked_ms: number | null;
  rests_on: string[];
  decision: DecisionShown | null;
  quotas: QuotaShown[];
  next_duty: { what: string; to: string; due_ms: number | null } | null;
}

export interface AcknowledgementShown {
  state: string;
  who: string;
  time_ms: number;
  index: number | null;
  sha256: string;
  licence: string | null;
}

export interface CalendarEntry {
  at_ms: number;
  what: string;
  equipment: string | null;
  licence: string | null;
  text: string;
}

export interface AnchorState {
  source: string;
  kind: string;
  state: string;
  size: number | null;
  time_ms: number | null;
  unwitnessed: number;
  unwitnessed_ms: number;
}

export interface Evidence {
  log: { origin: string; size: number; root: string; time_ms: number | null } | null;
  anchors: AnchorState[];
  nodes: NodeEvidence[];
  equipment: EquipmentEvidence[];
  problems: string[];
  calendar?: CalendarEntry[];
}

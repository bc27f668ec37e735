// What the gateway's states mean, in the operator's words and severity. Pure.

import { SCANS_UNTIL_STALE } from "./judge";
import type { EquipmentEvidence, Evidence, Health, Plant } from "./types";
import { formatBytes, formatCount, formatSpan } from "./units";
import type { IconName } from "./icons";

/** `level`: grey, needs attention soon, needs attention now. */
export type Level = "normal" | "warning" | "alarm";

export interface Remark {
  level: Level;
  icon: IconName;
  text: string;
}

const CLOCKS: Record<string, string> = {
  U: "not set",
  S: "set",
  I: "over 2 h old",
  R: "over 24 h old",
};

const BROKER: Record<string, string> = {
  connected: "connected",
  connecting: "not connected",
  refused: "refused this gateway",
  kicked: "another client took this gateway's name",
};

const INGEST: Record<string, string> = {
  ok: "running",
  "storage-full": "storage full; nodes keep their data",
  stopped: "stopped",
};

const INFLUX: Record<string, string> = {
  ok: "running",
  behind: "catching up",
  down: "not reachable",
  refused: "refuses the data",
};

/** Why a node refused a start, docs/node-evidence.md; after "Start refused at 20:40:39: ". */
const REASONS: Record<string, string> = {
  "no-permit": "there was no permit",
  "no-time": "the board had no time yet",
  "not-yet": "the permit had not begun",
  "permit-ended": "the permit had ended",
  "run-limit": "the permit's running time was used up",
  "volume-limit": "the permit's volume was used up",
  bypass: "the start permissive was bypassed",
};

const STATES: Record<string, string> = {
  compliant: "Starts are permitted.",
  grace: "Starts are still permitted. After grace new starts are refused; what runs goes on.",
  "start-inhibit": "New starts are refused. What runs goes on.",
  "orderly-stop-requested":
    "Operators are asked to stop the machine in order, when that is safe. Nothing stops it by itself; new starts are refused.",
  bypass: "The keyed bypass is on: starts are permitted past the permit, and each is in the log.",
};

export const reasonWords = (code: string): string => REASONS[code] ?? code;
export const brokerWords = (state: string): string => BROKER[state] ?? state;
export const ingestWords = (state: string): string => INGEST[state] ?? state;
export const influxWords = (state: string): string => INFLUX[state] ?? state;
export const clockWords = (state: string | null): string =>
  state === null ? "no word" : (CLOCKS[state] ?? state);

/** Start permission of a machine, with its countdown, at `nowMs`. */
export function permission(item: EquipmentEvidence, nowMs: number): Remark {
  const permit = item.permit;
  const endsMs = permit === null ? null : permit.not_after_ms - nowMs;
  const graceMs = permit === null ? null : permit.not_after_ms + permit.grace_ms - nowMs;
  switch (item.state) {
    case "compliant":
      if (endsMs !== null && endsMs <= 0) {
        return { level: "warning", icon: "hourglass", text: grace(graceMs) };
      }
      return {
        level: "normal",
        icon: "normal",
        text: `Start permitted${endsMs === null ? "" : `, permit ends in ${formatSpan(endsMs)}`}`,
      };
    case "grace":
      return { level: "warning", icon: "hourglass", text: grace(graceMs) };
    case "start-inhibit":
      return { level: "alarm", icon: "barred", text: `Start refused${since(graceMs)}` };
    case "orderly-stop-requested":
      return { level: "alarm", icon: "barred", text: `Orderly stop requested${since(graceMs)}` };
    case "bypass":
      return { level: "alarm", icon: "key", text: "Bypass on: starts past the permit" };
    default:
      return { level: "warning", icon: "absent", text: "Permission not known" };
  }
}

/** What a state means for whoever stands beside the machine. Nothing here stops anything. */
export function stateWords(state: string): string {
  return STATES[state] ?? "The gateway has no word of what the node permits now.";
}

export function runWords(run: boolean | null): string {
  return run === null ? "not known" : run ? "runs" : "stopped";
}

/** The state of the gateway's own parts that is not normal. */
export function gatewayRemarks(health: Health): Remark[] {
  const remarks: Remark[] = [];
  const add = (level: Level, text: string): void => {
    remarks.push({ level, icon: "warning", text });
  };
  if (health.broker.state !== "connected") {
    add("alarm", `Broker: ${brokerWords(health.broker.state)}`);
  }
  if (health.ingest.state !== "ok") {
    add("alarm", `Ingest: ${ingestWords(health.ingest.state)}`);
  }
  const influx = health.influx;
  if (influx !== null && influx.state !== "ok" && influx.state !== "behind") {
    add("warning", `InfluxDB: ${influxWords(influx.state)}`);
  }
  // What stands beside a part's state already is not said twice.
  const said = [health.broker.detail, health.ingest.detail, influx?.detail];
  for (const warning of health.warnings) {
    if (!said.includes(warning)) add("warning", warning);
  }
  return remarks;
}

/** Nodes and equipment that are not normal. */
export function plantRemarks(
  plant: Plant,
  health: Health | null,
  evidence: Evidence | null,
  nowMs: number,
): Remark[] {
  const remarks: Remark[] = [];
  for (const item of evidence?.equipment ?? []) {
    const remark = permission(item, nowMs);
    if (remark.level !== "normal") {
      remarks.push({ ...remark, text: `${item.name}: ${lower(remark.text)}` });
    }
  }
  for (const problem of evidence?.problems ?? []) {
    remarks.push({ level: "warning", icon: "warning", text: problem });
  }
  const nodesByFault = new Map<string, string[]>();
  for (const node of plant.nodes) {
    const state = health?.nodes.find((candidate) => candidate.node === node.id);
    const proof = evidence?.nodes.find((candidate) => candidate.node === node.id);
    const words = nodeFaults(node.scan_ms, state, proof, nowMs);
    if (words.length === 0) continue;
    const text = firstOf(words);
    nodesByFault.set(text, [...(nodesByFault.get(text) ?? []), node.id]);
  }
  for (const [text, nodes] of nodesByFault) {
    const who = `Node${nodes.length > 1 ? "s" : ""} ${nodes.join(", ")}`;
    remarks.push({ level: "warning", icon: "warning", text: `${who}: ${text}` });
  }
  return remarks;
}

/** "18 MB of 2.0 GB". */
export function fill(bytes: number, max: number): string {
  return `${formatBytes(bytes)} of ${formatBytes(max)}`;
}

export function registersWords(item: EquipmentEvidence): string {
  if (item.registers === null) return "no registers yet";
  const { run_ms, starts, volume_ml } = item.registers;
  const run = run_ms < 3_600_000 ? formatSpan(run_ms) : `${(run_ms / 3_600_000).toFixed(1)} h`;
  return `ran ${run}, ${formatCount(starts)} starts, ${(volume_ml / 1000).toFixed(1)} L`;
}

function nodeFaults(
  scanMs: number,
  state: Health["nodes"][number] | undefined,
  proof: Evidence["nodes"][number] | undefined,
  nowMs: number,
): string[] {
  const words: string[] = [];
  if (state !== undefined) {
    const silentMs = state.last_frame_ms === null ? null : nowMs - state.last_frame_ms;
    if (state.online === false) words.push("offline");
    else if (silentMs !== null && silentMs > 2 * SCANS_UNTIL_STALE * scanMs) {
      words.push(`no data for ${formatSpan(silentMs)}`);
    }
    words.push(...state.findings);
  }
  if (proof !== undefined) {
    if (proof.state !== "enrolled") words.push(`key ${proof.state}`);
    if (proof.clock !== null && proof.clock !== "S" && proof.state === "enrolled") {
      words.push(`clock ${clockWords(proof.clock)}`);
    }
    words.push(
      ...(proof.findings.length > 0 || proof.chain === "ok"
        ? proof.findings
        : [`chain ${proof.chain}`]),
    );
  }
  return words;
}

function firstOf(words: readonly string[]): string {
  const more = words.length - 1;
  return `${words[0] ?? ""}${more > 0 ? ` and ${more} more` : ""}`;
}

function grace(leftMs: number | null): string {
  if (leftMs === null) return "Grace";
  return leftMs > 0 ? `Grace: starts refused in ${formatSpan(leftMs)}` : "Grace has ended";
}

function since(leftMs: number | null): string {
  return leftMs === null || leftMs > 0 ? "" : ` for ${formatSpan(-leftMs)}`;
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

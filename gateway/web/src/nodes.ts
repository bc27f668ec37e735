// Nodes: data, key, clock and chain of each; and the gateway's own parts.

import { h, refill } from "./dom";
import { SCANS_UNTIL_STALE } from "./judge";
import { CheckpointDialog } from "./checkpoint";
import { anchorWords, receiptWords, signedWords } from "./provenance";
import type { Store } from "./store";
import type { PlantNode } from "./types";
import { formatTime } from "./when";
import { brokerWords, clockWords, fill, influxWords, ingestWords } from "./words";
import { formatCount, formatSpan } from "./units";

const HEADS = ["Node", "Data", "Key", "Clock", "Chain", "Signed", "Receipts", "Rejected"];

export class NodesPanel {
  readonly element = h("section", { class: "panel nodes", "aria-label": "Nodes" });
  private readonly body = h("tbody");

  constructor(private readonly store: Store) {
    const heads = HEADS.map((text) => h("th", { scope: "col" }, text));
    this.element.append(
      h("div", { class: "panel-head" }, h("h2", {}, "Nodes")),
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of nodes" },
        h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ...heads)), this.body),
      ),
    );
  }

  update(): void {
    const rows = this.store.plant.nodes.map((node) => this.row(node));
    refill(this.body, JSON.stringify(rows), () =>
      rows.map(([head, ...cells]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, head?.[0] ?? ""),
          ...cells.map(([text, level]) =>
            h("td", level === "normal" ? {} : { "data-level": level }, text),
          ),
        ),
      ),
    );
  }

  private row(plantNode: PlantNode): [string, string][] {
    const { id: node, scan_ms: scanMs } = plantNode;
    const { health, evidence } = this.store;
    const state = health?.nodes.find((candidate) => candidate.node === node);
    const proof = evidence?.nodes.find((candidate) => candidate.node === node);
    const now = this.store.nowMs();
    const lastMs = state?.last_frame_ms ?? null;
    const ageMs = lastMs === null ? null : now - lastMs;
    const late = ageMs !== null && ageMs > 2 * SCANS_UNTIL_STALE * scanMs;
    const offline = state?.online === false;
    const signed = signedWords(proof, plantNode.statement_s, now);
    const data = ageMs === null ? "none" : `${formatSpan(ageMs)} ago`;
    return [
      [node, "normal"],
      [offline ? `offline, ${data}` : data, offline || late ? "warning" : "normal"],
      [
        proof?.state ?? "no word",
        proof !== undefined && proof.state !== "enrolled" ? "warning" : "normal",
      ],
      [
        clockWords(proof?.clock ?? null),
        proof?.clock === "S" || proof === undefined ? "normal" : "warning",
      ],
      [
        proof?.chain ?? "no word",
        proof === undefined || proof.chain === "ok" ? "normal" : "warning",
      ],
      [signed.text, signed.level],
      [receiptWords(proof), "normal"],
      [
        state === undefined ? "" : formatCount(state.rejected),
        (state?.rejected ?? 0) > 0 ? "warning" : "normal",
      ],
    ];
  }
}

type Row = [
  name: string,
  text: string,
  level: "normal" | "warning",
  part: number | null,
  detail?: string,
];

export class StoresPanel {
  readonly element = h("section", { class: "panel stores", "aria-label": "Gateway and stores" });
  private readonly checkpoint: CheckpointDialog;
  private readonly list = h("dl", { class: "stores-list" });

  constructor(private readonly store: Store) {
    this.checkpoint = new CheckpointDialog(store);
    this.element.append(
      h("div", { class: "panel-head" }, h("h2", {}, "Gateway and stores"), this.checkpoint.button),
      this.list,
      this.checkpoint.element,
    );
  }

  update(): void {
    this.checkpoint.update();
    const rows = this.rows();
    refill(this.list, JSON.stringify(rows), () =>
      rows.map(([name, text, level, part, detail]) => {
        const value = h(
          "dd",
          level === "normal" ? {} : { "data-level": level },
          h("span", {}, text),
        );
        if (part !== null) {
          value.append(
            h("meter", {
              min: 0,
              max: 1,
              value: part.toFixed(4),
              "aria-label": `${name}, part used`,
            }),
          );
        }
        if (detail !== undefined && detail !== "") value.append(h("small", {}, detail));
        return h("div", {}, h("dt", {}, name), value);
      }),
    );
  }

  private rows(): Row[] {
    const { health, evidence } = this.store;
    if (health === null) return [["Gateway", "no word yet", "normal", null]];
    const { broker, ingest, archive, series, influx } = health;
    const log = evidence?.log ?? null;
    const waiting = ingest.queue > 0 ? `, ${formatCount(ingest.queue)} waiting` : "";
    return [
      [
        "Broker",
        brokerWords(broker.state),
        broker.state === "connected" ? "normal" : "warning",
        null,
        broker.detail,
      ],
      [
        "Ingest",
        `${ingestWords(ingest.state)}${waiting}`,
        ingest.state === "ok" ? "normal" : "warning",
        null,
        ingest.detail,
      ],
      stored("Archive", archive, 0),
      stored("Series", series, series.lag),
      influx === null
        ? ["InfluxDB", "not configured", "normal", null]
        : [
            "InfluxDB",
            `${influxWords(influx.state)}${behind(influx.lag)}`,
            influx.state === "ok" || influx.state === "behind" ? "normal" : "warning",
            null,
            influx.detail,
          ],
      [
        "Log",
        log === null
          ? "empty"
          : `${formatCount(log.size)} entries, root ${log.root.slice(0, 8)}${log.time_ms === null ? "" : ` at ${formatTime(log.time_ms)}`}`,
        "normal",
        null,
      ],
      ...this.anchors(),
    ];
  }

  /** Who outside vouches for the log, and for how much of it. */
  private anchors(): Row[] {
    const { evidence } = this.store;
    const found = evidence?.anchors ?? [];
    if (found.length === 0 && evidence !== null) {
      return [["Witnesses", "none: nobody outside vouches for the log", "normal", null]];
    }
    return found.map((anchor) => {
      const { text, level } = anchorWords(anchor);
      const name = anchor.kind === "cosignature" ? "Witness" : "Timestamp";
      // One line where all is well: who it is stands there when it matters.
      const who = found.length > 1 || level !== "normal" ? anchor.source : "";
      return [name, text, level, null, who];
    });
  }
}

function stored(name: string, of: { bytes: number; bytes_max: number }, lag: number): Row {
  const part = of.bytes_max > 0 ? of.bytes / of.bytes_max : 0;
  return [
    name,
    `${fill(of.bytes, of.bytes_max)}${behind(lag)}`,
    part >= 0.9 ? "warning" : "normal",
    part,
  ];
}

function behind(lag: number): string {
  return lag > 0 ? `, ${formatCount(lag)} frames behind` : "";
}

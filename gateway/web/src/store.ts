// What the page knows: the plant, the newest samples, health and evidence, and the gateway's time.

import { judge, type Condition } from "./judge";
import { places, type Place } from "./flow";
import { isProvisional } from "./provenance";
import type { Evidence, Health, LatestEvent, Plant, PlantNode, Point, Sample } from "./types";
import { decimalsFor } from "./units";

export interface PointInfo {
  point: Point;
  place: Place;
  scanMs: number;
  decimals: number;
}

/** Nothing heard for this long means that the connection is gone. */
export const SILENCE_MS_MAX = 5000;

export class Store {
  readonly places: Place[];
  readonly points = new Map<string, PointInfo>();
  readonly samples = new Map<string, Sample>();
  health: Health | null = null;
  evidence: Evidence | null = null;
  private covered = new Map<string, number | null>();
  private offsetMs: number | null = null;
  private heardMs: number;
  private newestMs: number | null = null;

  constructor(
    readonly plant: Plant,
    private readonly clock: () => number,
  ) {
    this.places = places(plant.sections);
    this.heardMs = clock();
    const scans = new Map(plant.nodes.map((node: PlantNode) => [node.id, node.scan_ms]));
    const sameName = new Map<string, Point[]>();
    for (const place of this.places) {
      for (const point of place.stage.points) {
        sameName.set(point.name, [...(sameName.get(point.name) ?? []), point]);
      }
    }
    for (const place of this.places) {
      for (const point of place.stage.points) {
        this.points.set(point.id, {
          point,
          place,
          scanMs: scans.get(place.stage.node) ?? 1000,
          decimals: decimalsFor(sameName.get(point.name) ?? []),
        });
      }
    }
  }

  takeLatest(event: LatestEvent): void {
    this.heard(event.time_ms);
    for (const { point, value, quality, time } of event.points) {
      const timeMs = Date.parse(time);
      this.samples.set(point, { value, quality, timeMs });
      if (this.newestMs === null || timeMs > this.newestMs) this.newestMs = timeMs;
    }
  }

  takeHealth(health: Health): void {
    this.heard(health.time_ms);
    this.health = health;
  }

  takeEvidence(evidence: Evidence): void {
    this.evidence = evidence;
    this.covered = new Map(evidence.nodes.map((node) => [node.node, node.covered_ms]));
  }

  /** Up to when statements cover the samples of the point's node; null where none does. */
  coveredMs(info: PointInfo): number | null {
    return this.covered.get(info.place.stage.node) ?? null;
  }

  provisional(info: PointInfo): boolean {
    return isProvisional(this.samples.get(info.point.id), this.coveredMs(info), info.scanMs);
  }

  /** The gateway's clock: this device's own may be wrong. */
  nowMs(): number {
    return this.clock() + (this.offsetMs ?? 0);
  }

  /** Whether the gateway has said its time yet. */
  get heardOf(): boolean {
    return this.offsetMs !== null;
  }

  /** How long the gateway has been silent, ms. */
  silentMs(): number {
    return this.clock() - this.heardMs;
  }

  /** Age of the newest sample of the plant, ms; null before the first. */
  dataAgeMs(): number | null {
    return this.newestMs === null ? null : Math.max(0, this.nowMs() - this.newestMs);
  }

  scanMsMax(): number {
    return Math.max(1, ...this.plant.nodes.map((node) => node.scan_ms));
  }

  condition(info: PointInfo): Condition {
    return judge(info.point, this.samples.get(info.point.id), this.nowMs(), info.scanMs);
  }

  private heard(gatewayMs: number): void {
    this.heardMs = this.clock();
    this.offsetMs = gatewayMs - this.heardMs;
  }
}

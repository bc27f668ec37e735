// Puts the page together: fetches the plant, follows the stream, brings every part up to date.

import "uplot/dist/uPlot.min.css";
import "./style.css";
import "./evidence.css";
import { Attention } from "./attention";
import { Cascade } from "./cascade";
import { h } from "./dom";
import { EquipmentPanel } from "./equipment";
import { Header } from "./header";
import { NodesPanel, StoresPanel } from "./nodes";
import { Store } from "./store";
import { backoffMs, LiveStream } from "./stream";
import { Trend } from "./trend";
import type { Evidence, Health, LatestEvent, Plant } from "./types";

async function start(): Promise<void> {
  const text = await fetchPlant();
  const plant = JSON.parse(text) as Plant;
  const store = new Store(plant, () => Date.now());
  const page = new Page(store);
  const stream = new LiveStream("/api/v1/stream", ["latest", "health", "evidence"], {
    event: (name, data) => {
      if (name === "latest") store.takeLatest(data as LatestEvent);
      else if (name === "health") store.takeHealth(data as Health);
      else store.takeEvidence(data as Evidence);
      page.soon();
    },
    open: () => {
      void reloadIfChanged(text);
    },
    lost: () => {
      page.soon();
    },
  });
  stream.connect();
  setInterval(() => {
    page.soon();
  }, 1000);
}

class Page {
  private due = false;
  private readonly parts: { update: () => unknown }[];
  private readonly header: Header;
  private readonly attention: Attention;

  constructor(private readonly store: Store) {
    const redraw = (): void => {
      this.soon();
    };
    const cascade = new Cascade(store, (point) => {
      trend.show(point);
    });
    const trend: Trend = new Trend(store, (point) => {
      cascade.mark(point);
    });
    this.header = new Header(store, redraw);
    this.attention = new Attention(store, (point) => {
      trend.show(point);
    });
    const equipment = new EquipmentPanel(store);
    const nodes = new NodesPanel(store);
    const stores = new StoresPanel(store);
    this.parts = [cascade, trend, equipment, nodes, stores];
    document.title = store.plant.name;
    document
      .querySelector("#app")
      ?.replaceChildren(
        this.header.element,
        this.header.banner,
        h(
          "main",
          {},
          this.attention.element,
          cascade.element,
          trend.element,
          equipment.element,
          h("div", { class: "gateway" }, nodes.element, stores.element),
        ),
      );
    this.soon();
  }

  /** Bring the page up to date before the next frame, however many events came. */
  soon(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.update();
    });
  }

  private update(): void {
    const fresh = this.header.update();
    document.documentElement.dataset["fresh"] = fresh;
    const count = this.attention.update();
    for (const part of this.parts) part.update();
    const name = this.store.plant.name;
    const old = fresh === "no-connection" || fresh === "no-data";
    document.title = old
      ? `Old values - ${name}`
      : count > 0
        ? `${count} not normal - ${name}`
        : name;
  }
}

async function fetchPlant(): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await fetch("/api/v1/plant");
      if (response.ok) return await response.text();
    } catch {
      // The gateway is not there yet; the page says that it is connecting.
    }
    await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, Math.random())));
  }
}

/** A gateway that was restarted may serve another plant. */
async function reloadIfChanged(known: string): Promise<void> {
  try {
    const response = await fetch("/api/v1/plant");
    if (response.ok && (await response.text()) !== known) location.reload();
  } catch {
    // The stream says when the gateway is back.
  }
}

void start();

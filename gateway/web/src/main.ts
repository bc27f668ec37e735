// The plant's page: cascade, trend, equipment, nodes and the gateway's own parts.

import "uplot/dist/uPlot.min.css";
import { Attention } from "./attention";
import { Cascade } from "./cascade";
import { h } from "./dom";
import { EquipmentPanel } from "./equipment";
import { NodesPanel, StoresPanel } from "./nodes";
import { show, type Sheet } from "./shell";
import type { Store } from "./store";
import { Trend } from "./trend";

function plant(store: Store): Sheet {
  const cascade = new Cascade(store, (point) => {
    trend.show(point);
  });
  const trend: Trend = new Trend(store, (point) => {
    cascade.mark(point);
  });
  const attention = new Attention(store, (point) => {
    trend.show(point);
  });
  const equipment = new EquipmentPanel(store);
  const nodes = new NodesPanel(store);
  const stores = new StoresPanel(store);
  const parts = [cascade, trend, equipment, nodes, stores];
  return {
    children: [
      attention.element,
      cascade.element,
      trend.element,
      equipment.element,
      h("div", { class: "gateway" }, nodes.element, stores.element),
    ],
    update: (fresh) => {
      const count = attention.update();
      for (const part of parts) part.update();
      const name = store.plant.name;
      const old = fresh === "no-connection" || fresh === "no-data";
      if (old) return `Old values - ${name}`;
      return count > 0 ? `${count} not normal - ${name}` : name;
    },
  };
}

void show("plant", plant);

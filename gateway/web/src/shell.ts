// What every page shares: the plant, the event stream, the header, and at most one redraw a frame.

import "./style.css";
import "./evidence.css";
import { h } from "./dom";
import { Header, type Freshness } from "./header";
import type { PageId } from "./nav";
import { Store } from "./store";
import { backoffMs, LiveStream } from "./stream";
import type { Evidence, Health, LatestEvent, Plant } from "./types";

export interface Sheet {
  /** What stands below the header. */
  children: Node[];
  /** Bring everything up to date; returns the window's title. */
  update: (fresh: Freshness) => string;
}

/** Show a page: `make` is called once, with the store and what asks for a redraw. */
export async function show(
  page: PageId,
  make: (store: Store, soon: () => void) => Sheet,
): Promise<void> {
  const text = await fetchPlant();
  const store = new Store(JSON.parse(text) as Plant, () => Date.now());
  const soon = redraws(() => {
    const fresh = header.update();
    document.documentElement.dataset["fresh"] = fresh;
    document.title = sheet.update(fresh);
  });
  const header = new Header(store, page, soon);
  const sheet = make(store, soon);
  document
    .querySelector("#app")
    ?.replaceChildren(header.element, header.banner, h("main", { class: page }, ...sheet.children));
  soon();
  const stream = new LiveStream("/api/v1/stream", ["latest", "health", "evidence"], {
    event: (name, data) => {
      if (name === "latest") store.takeLatest(data as LatestEvent);
      else if (name === "health") store.takeHealth(data as Health);
      else store.takeEvidence(data as Evidence);
      soon();
    },
    open: () => {
      void reloadIfChanged(text);
    },
    lost: soon,
  });
  stream.connect();
  setInterval(soon, 1000);
}

/** Before the next frame, however often it is asked for. */
function redraws(draw: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
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

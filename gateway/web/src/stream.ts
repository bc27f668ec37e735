// The page's one event stream: reconnects with backoff, and when the gateway falls silent.

import { SILENCE_MS_MAX } from "./store";

const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 10_000;

/** Doubles from 0.5 s to 10 s; `random` in [0, 1) takes off up to a third, so pages spread. */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** Math.min(attempt, 10));
  return Math.round(full * (1 - random / 3));
}

export interface StreamHandlers {
  event: (name: string, data: unknown) => void;
  open: () => void;
  lost: (attempt: number) => void;
}

export class LiveStream {
  private source: EventSource | null = null;
  private attempt = 0;
  private timer = 0;
  private watch = 0;

  constructor(
    private readonly url: string,
    private readonly names: readonly string[],
    private readonly on: StreamHandlers,
  ) {
    addEventListener("online", () => {
      if (this.source === null) this.connect();
    });
  }

  connect(): void {
    this.drop();
    const source = new EventSource(this.url);
    this.source = source;
    source.onopen = () => {
      this.on.open();
      this.rearm();
    };
    source.onerror = () => {
      this.retry();
    };
    for (const name of this.names) {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        this.attempt = 0;
        this.rearm();
        this.on.event(name, JSON.parse(message.data));
      });
    }
    this.rearm();
  }

  private rearm(): void {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => {
      this.retry();
    }, SILENCE_MS_MAX);
  }

  private retry(): void {
    this.drop();
    this.attempt += 1;
    this.on.lost(this.attempt);
    this.timer = setTimeout(
      () => {
        this.connect();
      },
      backoffMs(this.attempt - 1, Math.random()),
    );
  }

  private drop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    this.source?.close();
    this.source = null;
  }
}

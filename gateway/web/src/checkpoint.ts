// The log's newest head as a QR code, to be kept by whoever will audit it.

import { h, setText } from "./dom";
import type { Store } from "./store";
import { formatCount } from "./units";

const ADDRESS = "/api/v1/checkpoint.svg";

export class CheckpointDialog {
  readonly button = h("button", { type: "button", class: "qr-button", hidden: true }, "Checkpoint");
  readonly element = h("dialog", { class: "qr", "aria-label": "Checkpoint of the log" });
  private readonly words = h("p", {});

  constructor(private readonly store: Store) {
    const close = h("button", { type: "button" }, "Close");
    this.element.append(
      h("h2", {}, "Checkpoint of the log"),
      this.words,
      h("img", { alt: "QR code of the checkpoint" }),
      h(
        "p",
        { class: "muted" },
        "Keep a photograph of it: whoever audits a later export can show by it that the log was " +
          "only added to.",
      ),
      close,
    );
    close.onclick = () => {
      this.element.close();
    };
    this.button.title = "The log's newest head as a QR code";
    this.button.onclick = () => {
      this.show();
    };
  }

  /** There is nothing to show before the log's first head. */
  update(): void {
    this.button.hidden = (this.store.evidence?.log ?? null) === null;
  }

  private show(): void {
    const log = this.store.evidence?.log ?? null;
    if (log === null) return;
    setText(
      this.words,
      `${log.origin}, about ${formatCount(log.size)} entries; the code has the exact head.`,
    );
    // The answer may not be stored; a new element asks for it anew.
    const image = h("img", { alt: "QR code of the checkpoint", src: ADDRESS });
    this.element.querySelector("img")?.replaceWith(image);
    this.element.showModal();
  }
}

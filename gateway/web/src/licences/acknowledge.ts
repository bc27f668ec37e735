// An operator takes note: a statement in the log, under a pseudonym. It changes no permit.

import { h, refill, setText } from "../dom";
import { post, Refusal } from "../post";
import type { EquipmentEvidence } from "../types";
import { formatUtcSeconds } from "../when";
import { WhoField } from "../who";
import { acknowledgeWords } from "./words";

interface Answer {
  index: number;
  sha256: string;
}

export class Acknowledging {
  readonly element = h("section", { class: "acknowledging", "aria-label": "Acknowledgements" });
  private readonly who = new WhoField();
  private readonly form = h("form", { class: "acknowledge" });
  private readonly buttons = h("span", { class: "buttons" });
  private readonly said = h("p", { class: "said", role: "status", tabindex: -1 });
  private readonly list = h("ul", { class: "acknowledgements" });
  private item: EquipmentEvidence | null = null;

  constructor() {
    this.form.append(
      this.who.element,
      this.buttons,
      h(
        "p",
        { class: "muted" },
        "It says in the log that you have seen it. It changes no permit and stops nothing.",
      ),
    );
    this.form.onsubmit = (event) => {
      event.preventDefault();
      const button = event.submitter;
      if (button instanceof HTMLButtonElement) void this.send(button.value);
    };
    this.element.append(h("h4", {}, "Acknowledgements"), this.form, this.said, this.list);
  }

  update(item: EquipmentEvidence): void {
    if (this.item?.id !== item.id) setText(this.said, "");
    this.item = item;
    const due = item.to_acknowledge ?? [];
    this.form.hidden = due.length === 0;
    refill(this.buttons, JSON.stringify([item.id, due]), () =>
      due.map((state) =>
        h("button", { type: "submit", value: state }, `Acknowledge ${acknowledgeWords(state)}`),
      ),
    );
    const done = item.acknowledgements ?? [];
    refill(this.list, JSON.stringify([done, due.length]), () =>
      done.length === 0
        ? [h("li", { class: "muted" }, due.length > 0 ? "None yet" : "None, and none is due")]
        : done.map((one) =>
            h(
              "li",
              {},
              `${sentence(acknowledgeWords(one.state))} by ${one.who}, ${formatUtcSeconds(one.time_ms)}`,
              h(
                "small",
                { class: "muted" },
                one.index === null ? " not in the log yet" : ` log entry ${one.index}`,
              ),
            ),
          ),
    );
  }

  private async send(state: string): Promise<void> {
    const { item } = this;
    if (item === null) return;
    const body = { equipment: item.id, state, actor: this.who.take() };
    this.busy(true);
    this.say("Waiting for the log", "normal");
    try {
      const { index } = await post<Answer>("/api/v1/acknowledgements", body);
      this.say(`Acknowledged ${acknowledgeWords(state)}: log entry ${index}`, "normal");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.say(error.message, "warning");
    } finally {
      this.busy(false);
      this.said.focus();
    }
  }

  private say(words: string, level: string): void {
    this.said.dataset["level"] = level;
    setText(this.said, words);
  }

  private busy(is: boolean): void {
    for (const button of this.buttons.querySelectorAll("button")) button.disabled = is;
  }
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

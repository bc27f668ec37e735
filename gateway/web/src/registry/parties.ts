// Which known party a name may be. It suggests; a person decides and writes the party's id.

import { h, setText } from "../dom";
import { get, Refusal } from "../post";
import type { Party } from "./types";
import { likeWords } from "./words";

export class Parties {
  readonly element = h("form", { class: "parties" });
  private readonly asked = h("input", {
    id: "party-name",
    type: "search",
    autocomplete: "off",
    maxlength: 256,
    required: true,
  });
  private readonly said = h("p", { class: "muted", role: "status" });
  private readonly list = h("ul", { class: "recorded" });

  constructor() {
    this.element.append(
      h(
        "div",
        { class: "search" },
        h(
          "span",
          {},
          h("label", { for: "party-name" }, "Which party may this name be"),
          this.asked,
        ),
        h("button", { type: "submit" }, "Suggest"),
      ),
      this.said,
      this.list,
    );
    this.element.onsubmit = (event) => {
      event.preventDefault();
      void this.ask(this.asked.value);
    };
  }

  private async ask(name: string): Promise<void> {
    try {
      const query = new URLSearchParams({ name });
      const found = await get<Party[]>(`/api/v1/registry/parties?${query.toString()}`);
      setText(
        this.said,
        found.length === 0
          ? "No party has a name like it."
          : "Suggestions only; compare country, address and registration yourself.",
      );
      this.list.replaceChildren(
        ...found.map((one) =>
          h("li", {}, `${one.name}, ${one.what} ${one.party}: ${likeWords(one.score)}`),
        ),
      );
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      setText(this.said, error.message);
      this.list.replaceChildren();
    }
  }
}

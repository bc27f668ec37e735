// The documents that there are: search, one of them in full, and names that may be one party's.

import { h, refill, setText } from "../dom";
import { get, Refusal } from "../post";
import { formatUtc } from "../when";
import { Parties } from "./parties";
import type { DocumentRow, DocumentText, Registry } from "./types";
import { kindName, likeWords, search, vouchWords } from "./words";

const HEADS = ["Document", "Kind", "Version", "State", "Entered", "Who vouches", "SHA-256"];
const ROWS_SHOWN = 200;
const DIGITS_SHOWN = 16;

export class List {
  readonly element = h("section", { class: "panel documents", "aria-labelledby": "list-title" });
  private readonly asked = h("input", { id: "list-search", type: "search", autocomplete: "off" });
  private readonly kind = h("select", { id: "list-kind" });
  private readonly all = h("input", { id: "list-all", type: "checkbox" });
  private readonly count = h("p", { class: "muted", role: "status" });
  private readonly box = h("div");
  private readonly suggestions = h("div");
  private readonly policy = h("p", { class: "muted" });
  private readonly open: Open;
  private registry: Registry | null = null;

  constructor(next: (row: DocumentRow, members: Record<string, unknown>) => void) {
    this.open = new Open(next);
    for (const input of [this.asked, this.kind, this.all]) {
      input.oninput = () => {
        this.draw();
      };
    }
    this.element.append(
      h(
        "div",
        { class: "panel-head" },
        h("h2", { id: "list-title" }, "Registry"),
        h("a", { class: "more", href: "#entry-title" }, "Enter a document"),
      ),
      h(
        "p",
        { class: "muted" },
        "Versions are never written over; each is a statement in the log. Whether a document counts, the auditor's policy decides: it lists its digest, or has the key that signed it.",
      ),
      this.policy,
      h(
        "div",
        { class: "search" },
        h("span", {}, h("label", { for: "list-search" }, "Search"), this.asked),
        h("span", {}, h("label", { for: "list-kind" }, "Kind"), this.kind),
        h("span", {}, this.all, h("label", { for: "list-all" }, "Older versions too")),
      ),
      this.count,
      this.box,
      this.open.element,
      new Parties().element,
      this.suggestions,
    );
  }

  async load(): Promise<void> {
    try {
      this.registry = await get<Registry>("/api/v1/registry");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      setText(this.count, error.message);
      return;
    }
    const kinds = [...new Set(this.registry.documents.map((row) => row.kind))].sort();
    const chosen = this.kind.value;
    this.kind.replaceChildren(
      h("option", { value: "" }, "All kinds"),
      ...kinds.map((kind) => h("option", { value: kind }, kindName(kind))),
    );
    this.kind.value = kinds.includes(chosen) ? chosen : "";
    this.draw();
  }

  private draw(): void {
    const { registry } = this;
    if (registry === null) return;
    setText(this.policy, policyWords(registry));
    const found = search(registry.documents, this.kind.value, this.asked.value, this.all.checked);
    const shown = found.slice(0, ROWS_SHOWN);
    setText(this.count, countWords(found.length, shown.length, registry));
    refill(this.box, JSON.stringify(shown), () => (shown.length === 0 ? [] : [this.table(shown)]));
    const alike = registry.suggestions;
    refill(this.suggestions, JSON.stringify(alike), () =>
      alike.length === 0 ? [] : alikes(alike),
    );
  }

  private table(rows: readonly DocumentRow[]): HTMLElement {
    return h(
      "table",
      { class: "sheet list", role: "table", "aria-label": "Documents" },
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          ...HEADS.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
        ),
      ),
      h("tbody", { role: "rowgroup" }, ...rows.map((row) => this.row(row))),
    );
  }

  private row(row: DocumentRow): HTMLElement {
    const cell = (head: string, ...children: (Node | string)[]): HTMLElement =>
      h("td", { role: "cell", "data-head": head }, h("span", { class: "cell-body" }, ...children));
    const button = h("button", { type: "button", class: "link" }, row.name);
    button.onclick = () => {
      void this.open.show(row);
    };
    const title = row.title === "" ? [] : [h("small", { class: "muted" }, row.title)];
    return h(
      "tr",
      { role: "row" },
      h("th", { scope: "row", role: "rowheader" }, button, ...title),
      cell("Kind", kindName(row.kind)),
      cell("Version", row.newest ? String(row.version) : `${row.version}, replaced`),
      cell("State", row.state === "kept" ? "kept" : `${row.state}${entryWords(row.changed)}`),
      cell(
        "Entered",
        row.time_ms === null ? "before there was a register" : formatUtc(row.time_ms),
        h("small", { class: "muted" }, entryWords(row.index).replace(", ", "")),
      ),
      cell("Who vouches", vouchWords(row, this.registry?.policy ?? false)),
      cell(
        "SHA-256",
        h("span", { class: "code", title: row.sha256 }, row.sha256.slice(0, DIGITS_SHOWN)),
      ),
    );
  }
}

function entryWords(index: number | null): string {
  return index === null ? "" : `, log entry ${index}`;
}

/** One document in full. */
class Open {
  readonly element = h("section", {
    class: "check",
    hidden: true,
    tabindex: -1,
    "aria-label": "Document",
  });

  constructor(
    private readonly next: (row: DocumentRow, members: Record<string, unknown>) => void,
  ) {}

  async show(row: DocumentRow): Promise<void> {
    const close = h("button", { type: "button" }, "Close");
    close.onclick = () => {
      this.element.hidden = true;
    };
    const head = h("h3", {}, `${kindName(row.kind)} ${row.name} version ${row.version}`);
    const digest = h("p", { class: "code" }, `SHA-256 ${row.sha256}`);
    this.element.replaceChildren(head, digest, h("p", { class: "muted" }, "Asking the gateway"));
    this.element.hidden = false;
    this.element.focus();
    const buttons = h("div", { class: "buttons" }, close);
    let body: Node;
    try {
      const found = await get<DocumentText>(`/api/v1/registry/documents/${row.sha256}`);
      body = h("pre", { class: "code", tabindex: 0, "aria-label": "The document" }, found.toml);
      if (row.newest && row.kind !== "regime") {
        const write = h("button", { type: "button" }, "Write its next version");
        write.onclick = () => {
          this.next(row, found.members);
        };
        buttons.prepend(write);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      body = h("p", { "data-level": "warning" }, error.message);
    }
    this.element.replaceChildren(head, digest, body, buttons);
  }
}

function policyWords({ policy, problem }: Registry): string {
  if (problem !== "") return `The copy of the auditor's policy cannot be used: ${problem}`;
  return policy
    ? "Who vouches is judged here by the copy of the policy that this gateway was given; the auditor uses his own."
    : "This gateway was given no copy of the policy, and judges no document.";
}

function countWords(found: number, shown: number, registry: Registry): string {
  if (registry.total === 0) return "No documents yet. Enter the first below.";
  const listed = registry.documents.length;
  const parts = [found > shown ? `${shown} of ${found} found` : `${found} found`];
  if (registry.total > listed) parts.push(`among the newest ${listed} of ${registry.total}`);
  return parts.join(", ");
}

function alikes(found: Registry["suggestions"]): Node[] {
  return [
    h("h3", {}, "Names that may be one party's"),
    h(
      "p",
      { class: "muted" },
      "Suggestions only: nothing is merged or renamed. Compare country, address and registration.",
    ),
    h(
      "ul",
      { class: "recorded" },
      ...found.map((one) =>
        h(
          "li",
          {},
          `${one.name} in ${one.where} and ${one.like} in ${one.what} ${one.party}: ${likeWords(one.score)}`,
        ),
      ),
    ),
  ];
}

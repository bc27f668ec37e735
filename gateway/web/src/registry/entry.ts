// Entering a document: filled in or as a file, looked at byte by byte, then sent to the log.

import { h, setText } from "../dom";
import { icon } from "../icons";
import { get, post, Refusal } from "../post";
import { formatCount } from "../units";
import { WhoField } from "../who";
import { Form } from "./form";
import type { DocumentRow, KindForm, Preview, Taken } from "./types";
import { kindName } from "./words";

const FILE_BYTES_MAX = 240_000;

export class Entry {
  readonly element = h("section", { class: "panel entry", "aria-labelledby": "entry-title" });
  private readonly kind = h("select", { id: "entry-kind" });
  private readonly formBox = h("div", { class: "form-box" });
  private readonly file = h("input", {
    id: "entry-file",
    type: "file",
    accept: ".toml,text/plain",
  });
  private readonly paste = h("textarea", {
    id: "entry-text",
    rows: 10,
    class: "code",
    spellcheck: "false",
    "aria-describedby": "entry-said",
  });
  private readonly said = h("p", { id: "entry-said", class: "said", role: "status", tabindex: -1 });
  private readonly filled = h("div", { class: "filled" });
  private readonly given = h("div", { class: "given", hidden: true });
  private readonly modes: HTMLInputElement[];
  private readonly check = new Check((taken) => {
    this.added(taken);
  });
  private forms = new Map<string, Form>();
  private fileText: string | null = null;

  constructor(private readonly changed: () => void) {
    this.modes = [
      ["form", "Fill in a form"],
      ["file", "Upload or paste a file"],
    ].map(([value, name]) =>
      h("input", {
        type: "radio",
        name: "entry-mode",
        value: value ?? "",
        "aria-label": name ?? "",
      }),
    );
    this.build();
  }

  async load(): Promise<void> {
    const kinds = await get<KindForm[]>("/api/v1/registry/forms");
    this.forms = new Map(kinds.map(({ kind, fields }) => [kind, new Form(fields)]));
    this.kind.replaceChildren(
      ...kinds.map(({ kind }) => h("option", { value: kind }, kindName(kind))),
    );
    this.choose();
  }

  /** The form filled with a document that is there, as its next version. */
  next(row: DocumentRow, members: Record<string, unknown>): void {
    const form = this.forms.get(row.kind);
    if (form === undefined) return;
    this.kind.value = row.kind;
    this.mode("form");
    form.fill({ ...members, version: String(row.version + 1), replaces: row.sha256 });
    this.choose();
    this.element.scrollIntoView();
    this.element.querySelector<HTMLElement>(".form input, .form textarea")?.focus();
  }

  private build(): void {
    const [first, second] = this.modes;
    if (first !== undefined) first.checked = true;
    for (const mode of this.modes) {
      mode.onchange = () => {
        this.mode(mode.value);
      };
    }
    this.kind.onchange = () => {
      this.choose();
    };
    this.file.onchange = () => {
      void this.take();
    };
    this.paste.oninput = () => {
      this.fileText = null;
    };
    const preview = h("button", { type: "submit" }, "Preview");
    const form = h(
      "form",
      { novalidate: true },
      h(
        "div",
        { class: "modes", role: "radiogroup", "aria-label": "How to enter it" },
        ...[first, second].map((mode) =>
          h(
            "label",
            {},
            ...(mode === undefined ? [] : [mode, mode.getAttribute("aria-label") ?? ""]),
          ),
        ),
      ),
      this.filled,
      this.given,
      h(
        "div",
        { class: "buttons" },
        preview,
        h("span", { class: "muted" }, "Nothing is sent to the log yet."),
      ),
      this.said,
    );
    this.filled.append(
      h("div", { class: "field" }, h("label", { for: "entry-kind" }, "Kind"), this.kind),
      this.formBox,
    );
    this.given.append(
      h("div", { class: "field" }, h("label", { for: "entry-file" }, "TOML file"), this.file),
      h("div", { class: "field" }, h("label", { for: "entry-text" }, "Or its text"), this.paste),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      void this.preview(preview);
    };
    form.oninput = () => {
      this.check.drop();
    };
    this.element.append(
      h("div", { class: "panel-head" }, h("h2", { id: "entry-title" }, "Enter a document")),
      h(
        "p",
        { class: "muted" },
        "Ids and numbers stand in the log and in every bundle: give no person's name in them.",
      ),
      form,
      this.check.element,
    );
  }

  private mode(value: string): void {
    for (const mode of this.modes) mode.checked = mode.value === value;
    this.filled.hidden = value !== "form";
    this.given.hidden = value === "form";
    this.check.drop();
    this.say("", "normal");
  }

  private choose(): void {
    const form = this.forms.get(this.kind.value);
    this.formBox.replaceChildren(...(form === undefined ? [] : [form.element]));
    this.check.drop();
    this.say("", "normal");
  }

  private async take(): Promise<void> {
    const file = this.file.files?.[0];
    if (file === undefined) return;
    this.paste.value = "";
    this.fileText = null;
    this.check.drop();
    if (file.size > FILE_BYTES_MAX) {
      this.say(`${file.name} has more than ${formatCount(FILE_BYTES_MAX)} bytes.`, "warning");
      return;
    }
    const bytes = await file.arrayBuffer();
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      // The text area would turn CR LF into LF; exact bytes count.
      this.fileText = text;
      this.paste.value = text;
      this.say(`${file.name}: ${formatCount(bytes.byteLength)} bytes`, "normal");
    } catch {
      this.say(`${file.name} is no text in UTF-8; save it as UTF-8.`, "warning");
    }
  }

  private async preview(button: HTMLButtonElement): Promise<void> {
    const form = this.forms.get(this.kind.value);
    const filled = !this.filled.hidden && form !== undefined;
    const body = filled
      ? { kind: this.kind.value, members: form.read() }
      : { toml: this.fileText ?? this.paste.value };
    button.disabled = true;
    this.check.drop();
    this.say("", "normal");
    form?.show([]);
    this.paste.removeAttribute("aria-invalid");
    try {
      await this.check.show(await post<Preview>("/api/v1/registry/preview", body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const rest = filled ? form.show(error.errors) : [];
      if (filled && error.errors.length > 0 && rest.length === 0) {
        this.say("The form is not complete: see the marked field.", "warning");
        return;
      }
      if (!filled) this.paste.setAttribute("aria-invalid", "true");
      this.say(error.message, "warning");
      this.said.focus();
    } finally {
      button.disabled = false;
    }
  }

  private added(taken: Taken): void {
    const title = `${kindName(taken.kind)} ${taken.name} version ${taken.version}`;
    const where = taken.index === null ? "in the log" : `log entry ${taken.index}`;
    this.say(taken.known ? `${title} was there before: ${where}` : `${title}: ${where}`, "normal");
    this.said.focus();
    this.changed();
  }

  private say(words: string, level: string): void {
    this.said.dataset["level"] = level;
    setText(this.said, words);
  }
}

/** What will be sent, byte for byte, with the digest that the log will have. */
class Check {
  readonly element = h("section", {
    class: "check",
    hidden: true,
    tabindex: -1,
    "aria-labelledby": "check-title",
  });
  private readonly list = h("dl", { class: "facts" });
  private readonly text = h("pre", { class: "code", tabindex: 0, "aria-label": "The document" });
  private readonly notes = h("ul", { class: "recorded", "aria-label": "Notes" });
  private readonly who = new WhoField();
  private readonly said = h("p", { class: "said", role: "status" });
  private readonly button = h("button", { type: "submit" }, "Send to the log");
  private preview: Preview | null = null;

  constructor(private readonly taken: (taken: Taken) => void) {
    const form = h("form", { class: "acknowledge" }, this.who.element, this.button);
    form.onsubmit = (event) => {
      event.preventDefault();
      void this.send();
    };
    this.element.append(
      h("h3", { id: "check-title" }, "What will be sent"),
      this.list,
      this.text,
      this.notes,
      h(
        "p",
        { class: "muted" },
        "These exact bytes count, by their SHA-256. The log's statement says who entered them; it does not say that they are true. Whether they count is the auditor's policy's to decide.",
      ),
      form,
      this.said,
    );
  }

  drop(): void {
    this.preview = null;
    this.element.hidden = true;
  }

  async show(preview: Preview): Promise<void> {
    const own = await digestOf(new TextEncoder().encode(preview.toml));
    const rows: [string, string][] = [
      ["Document", `${kindName(preview.kind)} ${preview.name} version ${preview.version}`],
      ["Bytes", formatCount(preview.bytes)],
      ["SHA-256", preview.sha256],
    ];
    this.list.replaceChildren(
      ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
    setText(this.text, preview.toml);
    this.notes.replaceChildren(...preview.notes.map((note) => h("li", {}, note)));
    const agree = own === null || own === preview.sha256;
    this.button.disabled = !agree;
    setText(
      this.said,
      agree
        ? ""
        : `This browser finds another SHA-256, ${own}: do not send it, load the page again.`,
    );
    this.said.dataset["level"] = agree ? "normal" : "alarm";
    this.preview = preview;
    this.element.hidden = false;
    this.element.focus();
  }

  private async send(): Promise<void> {
    const { preview } = this;
    if (preview === null) return;
    this.button.disabled = true;
    this.said.dataset["level"] = "normal";
    this.said.replaceChildren(icon("hourglass"), " Waiting for the log");
    try {
      const body = { toml: preview.toml, sha256: preview.sha256, actor: this.who.take() };
      const taken = await post<Taken>("/api/v1/registry/documents", body);
      this.drop();
      this.taken(taken);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.said.dataset["level"] = "warning";
      setText(this.said, error.message);
    } finally {
      this.button.disabled = false;
    }
  }
}

/** Lowercase hexadecimal; null where the browser has no digests (no secure context). */
async function digestOf(bytes: BufferSource): Promise<string | null> {
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle;
  if (subtle === undefined) return null;
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

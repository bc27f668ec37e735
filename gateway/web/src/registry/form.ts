// A form made of the fields that the gateway says a document has.

import { h, setText } from "../dom";
import type { FieldError } from "../post";
import type { Field } from "./types";
import { hintOf, labelOf } from "./words";

type Members = Record<string, unknown>;

/** One key: its element, its value, and where an error of it is shown. */
interface Control {
  readonly element: HTMLElement;
  read: () => unknown;
  fill: (value: unknown) => void;
  /** Show `words` at the key that `path` leads to from here; the element to look at, if any. */
  show: (path: readonly string[], words: string) => HTMLElement | null;
  clear: () => void;
}

export class Form {
  readonly element = h("div", { class: "form" });
  private readonly inner: Group;

  constructor(fields: readonly Field[]) {
    this.inner = new Group(fields, "f");
    this.element.append(...this.inner.children);
  }

  read(): Members {
    return this.inner.read();
  }

  fill(members: Members): void {
    this.inner.fill(members);
  }

  /** Errors at their fields; those that have none here are returned. */
  show(errors: readonly FieldError[]): FieldError[] {
    this.inner.clear();
    let first: HTMLElement | null = null;
    const rest = errors.filter((error) => {
      const found = this.inner.show(error.field.split("."), error.detail);
      first ??= found;
      return found === null;
    });
    (first as HTMLElement | null)?.focus();
    return rest;
  }
}

let ids = 0;

function nextId(): string {
  ids += 1;
  return `field-${ids}`;
}

function make(field: Field, path: string): Control {
  if (field.kind === "tables") return new Tables(field, path);
  if (field.kind === "table") return new Inner(field, path);
  if (field.kind === "pairs") return new Pairs(field);
  if (field.kind === "flag") return new Flag(field);
  if (field.kind === "word" && field.many) return new Words(field);
  return new Line(field);
}

/** The keys of one table. */
class Group {
  readonly children: HTMLElement[];
  private readonly controls: Map<string, Control>;

  constructor(fields: readonly Field[], path: string) {
    this.controls = new Map(
      fields.map((field) => [field.name, make(field, `${path}-${field.name}`)]),
    );
    this.children = inReadingOrder(fields).flatMap(({ name }) => {
      const control = this.controls.get(name);
      return control === undefined ? [] : [control.element];
    });
  }

  read(): Members {
    const found: Members = {};
    for (const [name, control] of this.controls) {
      const value = control.read();
      if (!isEmpty(value)) found[name] = value;
    }
    return found;
  }

  fill(members: Members): void {
    for (const [name, control] of this.controls) control.fill(members[name]);
  }

  show([name, ...rest]: readonly string[], words: string): HTMLElement | null {
    return this.controls.get(name ?? "")?.show(rest, words) ?? null;
  }

  clear(): void {
    for (const control of this.controls.values()) control.clear();
  }
}

/** What shows the error of one key. */
class Fault {
  readonly element: HTMLElement;

  constructor(
    id: string,
    private readonly about: HTMLElement,
  ) {
    this.element = h("p", { id: `${id}-error`, class: "field-error", hidden: true });
  }

  show(words: string): HTMLElement {
    setText(this.element, words);
    this.element.hidden = words === "";
    if (words === "") this.about.removeAttribute("aria-invalid");
    else this.about.setAttribute("aria-invalid", "true");
    return this.about;
  }
}

/** A text, number, date, word, or a list of them with one a line. */
class Line implements Control {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
  private readonly fault: Fault;

  constructor(private readonly field: Field) {
    const id = nextId();
    this.input = this.makeInput(id);
    this.fault = new Fault(id, this.input);
    const hint = hintOf(field);
    this.element = h(
      "div",
      { class: "field" },
      h("label", { for: id }, labelOf(field.name), ...(field.needed ? [needed()] : [])),
      this.input,
      ...(field.open ? [suggestions(id, field.choices)] : []),
      ...(hint === "" ? [] : [h("small", { id: `${id}-hint`, class: "muted" }, hint)]),
      this.fault.element,
    );
    this.input.setAttribute("aria-describedby", `${hint === "" ? "" : `${id}-hint `}${id}-error`);
    if (field.needed) this.input.setAttribute("aria-required", "true");
  }

  read(): unknown {
    const { value } = this.input;
    if (!this.field.many) return value.trim();
    return value
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  }

  fill(value: unknown): void {
    const texts = Array.isArray(value) ? value.map(text) : [text(value)];
    this.input.value = texts.join("\n");
    this.clear();
  }

  show(_path: readonly string[], words: string): HTMLElement {
    return this.fault.show(words);
  }

  clear(): void {
    this.fault.show("");
  }

  private makeInput(id: string): HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement {
    const { field } = this;
    if (field.many) return h("textarea", { id, rows: 2, spellcheck: "false" });
    if (field.kind === "word" && !field.open) {
      const blank = h("option", { value: "" }, "");
      return h("select", { id }, blank, ...field.choices.map((word) => h("option", {}, word)));
    }
    const input = h("input", { id, type: "text", autocomplete: "off", spellcheck: "false" });
    if (field.chars_max !== null) input.maxLength = field.chars_max;
    if (field.kind === "number") input.inputMode = "decimal";
    if (field.kind === "integer") input.inputMode = "numeric";
    if (field.open) input.setAttribute("list", `${id}-known`);
    return input;
  }
}

class Flag implements Control {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly fault: Fault;

  constructor(field: Field) {
    const id = nextId();
    this.input = h("input", { id, type: "checkbox", "aria-describedby": `${id}-error` });
    this.fault = new Fault(id, this.input);
    this.element = h(
      "div",
      { class: "field flag" },
      this.input,
      h("label", { for: id }, labelOf(field.name)),
      this.fault.element,
    );
  }

  read(): unknown {
    return this.input.checked;
  }

  fill(value: unknown): void {
    this.input.checked = value === true;
    this.clear();
  }

  show(_path: readonly string[], words: string): HTMLElement {
    return this.fault.show(words);
  }

  clear(): void {
    this.fault.show("");
  }
}

/** Several of the words that are known. */
class Words implements Control {
  readonly element: HTMLElement;
  private readonly boxes: HTMLInputElement[];
  private readonly fault: Fault;

  constructor(field: Field) {
    const id = nextId();
    this.boxes = field.choices.map((word) => h("input", { type: "checkbox", value: word }));
    this.element = h(
      "fieldset",
      { class: "field words" },
      h("legend", {}, labelOf(field.name), ...(field.needed ? [needed()] : [])),
      ...this.boxes.map((box) => h("label", {}, box, box.value)),
    );
    this.fault = new Fault(id, this.boxes[0] ?? this.element);
    this.element.append(this.fault.element);
  }

  read(): unknown {
    return this.boxes.filter((box) => box.checked).map((box) => box.value);
  }

  fill(value: unknown): void {
    const words = Array.isArray(value) ? value.map(text) : [text(value)];
    for (const box of this.boxes) box.checked = words.includes(box.value);
    this.clear();
  }

  show(_path: readonly string[], words: string): HTMLElement {
    return this.fault.show(words);
  }

  clear(): void {
    this.fault.show("");
  }
}

/** A table inside. */
class Inner implements Control {
  readonly element: HTMLElement;
  private readonly group: Group;
  private readonly fault: Fault;

  constructor(field: Field, path: string) {
    this.group = new Group(field.fields, path);
    this.element = h(
      "fieldset",
      { class: "inner", tabindex: -1 },
      h("legend", {}, labelOf(field.name)),
      ...this.group.children,
    );
    this.fault = new Fault(nextId(), this.element);
    this.element.append(this.fault.element);
  }

  read(): unknown {
    return this.group.read();
  }

  fill(value: unknown): void {
    this.group.fill(isMembers(value) ? value : {});
  }

  show(path: readonly string[], words: string): HTMLElement {
    return this.group.show(path, words) ?? this.fault.show(words);
  }

  clear(): void {
    this.fault.show("");
    this.group.clear();
  }
}

/** A list of rows, each removable; what a row is made of its maker knows. */
abstract class Rows<Row extends { element: HTMLElement }> implements Control {
  readonly element: HTMLElement;
  protected readonly rows: Row[] = [];
  private readonly list = h("div", { class: "rows" });
  private readonly fault: Fault;

  constructor(
    private readonly name: string,
    needs: boolean,
  ) {
    const add = h("button", { type: "button" }, `Add to ${name.toLowerCase()}`);
    add.onclick = () => {
      const row = this.add();
      row.element.querySelector<HTMLElement>("input, select, textarea")?.focus();
    };
    this.element = h(
      "fieldset",
      { class: "inner" },
      h("legend", {}, name, ...(needs ? [needed()] : [])),
      this.list,
      add,
    );
    this.fault = new Fault(nextId(), add);
    this.element.append(this.fault.element);
  }

  abstract read(): unknown;
  abstract fill(value: unknown): void;
  protected abstract makeRow(): Row;
  protected abstract showIn(path: readonly string[], words: string): HTMLElement | null;
  protected abstract clearRow(row: Row): void;

  show(path: readonly string[], words: string): HTMLElement {
    return this.showIn(path, words) ?? this.fault.show(words);
  }

  clear(): void {
    this.fault.show("");
    for (const row of this.rows) this.clearRow(row);
  }

  protected add(): Row {
    const row = this.makeRow();
    const remove = h("button", { type: "button", class: "remove" }, "Remove");
    remove.setAttribute("aria-label", `Remove from ${this.name.toLowerCase()}`);
    remove.onclick = () => {
      row.element.remove();
      this.rows.splice(this.rows.indexOf(row), 1);
      this.element.querySelector<HTMLElement>(":scope > button")?.focus();
    };
    row.element.append(remove);
    this.rows.push(row);
    this.list.append(row.element);
    return row;
  }

  protected empty(): void {
    this.rows.length = 0;
    this.list.replaceChildren();
  }
}

interface TableRow {
  element: HTMLElement;
  group: Group;
}

/** Tables of one kind, any number of them. */
class Tables extends Rows<TableRow> {
  constructor(
    private readonly field: Field,
    private readonly path: string,
  ) {
    super(labelOf(field.name), field.needed);
    if (field.needed) this.add();
  }

  read(): unknown {
    return this.rows.map((row) => row.group.read());
  }

  fill(value: unknown): void {
    this.empty();
    for (const item of Array.isArray(value) ? value : []) {
      this.add().group.fill(isMembers(item) ? item : {});
    }
    if (this.field.needed && this.rows.length === 0) this.add();
  }

  protected makeRow(): TableRow {
    const group = new Group(this.field.fields, this.path);
    return { element: h("div", { class: "row" }, ...group.children), group };
  }

  protected showIn([place, ...rest]: readonly string[], words: string): HTMLElement | null {
    return this.rows[Number(place)]?.group.show(rest, words) ?? null;
  }

  protected clearRow(row: TableRow): void {
    row.group.clear();
  }
}

interface PairRow {
  element: HTMLElement;
  name: Line;
  value: Line;
}

/** Keys that the writer chooses. */
class Pairs extends Rows<PairRow> {
  constructor(field: Field) {
    super(labelOf(field.name), false);
  }

  read(): unknown {
    const rows = this.rows.map((row): [string, unknown] => [
      String(row.name.read()),
      row.value.read(),
    ]);
    return Object.fromEntries(rows.filter(([name]) => name !== ""));
  }

  fill(value: unknown): void {
    this.empty();
    for (const [name, item] of Object.entries(isMembers(value) ? value : {})) {
      const row = this.add();
      row.name.fill(name);
      row.value.fill(item);
    }
  }

  protected makeRow(): PairRow {
    const name = new Line(plain("name"));
    const value = new Line(plain("value"));
    return { element: h("div", { class: "row" }, name.element, value.element), name, value };
  }

  protected showIn([name]: readonly string[], words: string): HTMLElement | null {
    return this.rows.find((row) => row.name.read() === name)?.value.show([], words) ?? null;
  }

  protected clearRow(row: PairRow): void {
    row.name.clear();
    row.value.clear();
  }
}

/** What is needed stands first, what has fields of its own last. */
function inReadingOrder(fields: readonly Field[]): Field[] {
  const rank = (field: Field): number => {
    const nested = ["table", "tables", "pairs"].includes(field.kind);
    return (nested ? 2 : 0) + (field.needed ? 0 : 1);
  };
  return [...fields].sort((a, b) => rank(a) - rank(b));
}

function plain(name: string): Field {
  return {
    name,
    kind: "text",
    needed: false,
    many: false,
    end: false,
    choices: [],
    open: false,
    chars_max: null,
    low: null,
    high: null,
    fields: [],
  };
}

function suggestions(id: string, words: readonly string[]): HTMLElement {
  return h("datalist", { id: `${id}-known` }, ...words.map((word) => h("option", { value: word })));
}

function needed(): HTMLElement {
  return h("span", { class: "needed" }, " (needed)");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  if (value === "" || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isMembers(value) && Object.keys(value).length === 0;
}

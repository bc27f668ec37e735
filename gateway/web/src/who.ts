// The pseudonym under which this device's operator signs things; remembered on this device.

import { h } from "./dom";

const KEY = "raffinate-who";
/** As statements carry it: printable ASCII without quote and backslash. */
const PATTERN = "[ !#-\\[\\]-~]{1,128}";

let fields = 0;

/** A labelled input; `value` is trimmed and remembered when it is read. */
export class WhoField {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;

  constructor() {
    fields += 1;
    const id = `who-${fields}`;
    this.input = h("input", {
      id,
      type: "text",
      required: true,
      maxlength: 128,
      pattern: PATTERN,
      autocomplete: "off",
      spellcheck: "false",
      size: 12,
      title: "Printable ASCII without quote and backslash",
    });
    this.input.value = stored();
    this.element = h(
      "span",
      { class: "who" },
      h("label", { for: id }, "Your pseudonym"),
      this.input,
    );
  }

  take(): string {
    const value = this.input.value.trim();
    try {
      localStorage.setItem(KEY, value);
    } catch {
      // Without storage it is typed anew.
    }
    return value;
  }
}

function stored(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

// Small helpers over the DOM; text is only ever set as text.

type Attributes = Record<string, string | number | boolean>;
type Child = Node | string;

const SVG = "http://www.w3.org/2000/svg";

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, attributes);
  element.append(...children);
  return element;
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  apply(element, attributes);
  element.append(...children);
  return element;
}

/** Set an attribute only where it changes, so that idle screens cost nothing. */
export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Replace the children where `key` differs from the last call's. */
export function refill(element: HTMLElement, key: string, make: () => Child[]): void {
  if (element.dataset["key"] === key) return;
  element.dataset["key"] = key;
  element.replaceChildren(...make());
}

export function remPx(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

function apply(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

// The calendar: what ends or falls due, soonest first, of all machines or of one.

import "../sheets.css";
import { h, refill, setText } from "../dom";
import { icon } from "../icons";
import { NOT_LEGAL_ADVICE } from "../licences/words";
import { show, type Sheet } from "../shell";
import type { Store } from "../store";
import { formatUtc, formatUtcSeconds } from "../when";
import { groups, whatWords, type Group, type Machine, type Row } from "./entries";

const HEADS = ["Date", "Left", "What", "Which", "Machine", "Licence"];

function calendar(store: Store, soon: () => void): Sheet {
  const { equipment, name } = store.plant;
  const names = new Map(equipment.map((item) => [item.id, item.name]));
  const filter = h(
    "select",
    { id: "machine" },
    h("option", { value: "" }, "All machines"),
    ...equipment.map((item) => h("option", { value: item.id }, item.name)),
  );
  const adopt = (): void => {
    const asked = location.hash.slice(1);
    filter.value = names.has(asked) ? asked : "";
    soon();
  };
  filter.onchange = () => {
    history.replaceState(null, "", filter.value === "" ? location.pathname : `#${filter.value}`);
    soon();
  };
  addEventListener("hashchange", adopt);
  adopt();
  const asOf = h("span", { class: "muted" });
  const body = h("div", { class: "groups" });
  return {
    children: [
      h(
        "section",
        { class: "panel", "aria-labelledby": "calendar-title" },
        h(
          "div",
          { class: "panel-head" },
          h("h2", { id: "calendar-title" }, "Expiries, reviews and duties"),
          h("label", { for: "machine", class: "hidden" }, "Machine"),
          filter,
          asOf,
        ),
        h(
          "p",
          { class: "muted" },
          `${NOT_LEGAL_ADVICE} Dates are UTC, as licences and rules write them.`,
        ),
        body,
      ),
    ],
    update: () => {
      const now = store.nowMs();
      const entries = store.evidence?.calendar ?? [];
      const found = groups(entries, chosen(store, filter.value), now);
      asOf.textContent = store.evidence === null ? "" : `as of ${formatUtcSeconds(now)}`;
      const past = found.find((group) => group.standing === "past")?.rows.length ?? 0;
      const rows = found.flatMap((group) => group.rows);
      const key = rows.map(({ entry, standing }) => [entry, standing]);
      refill(body, JSON.stringify([key, store.evidence === null]), () =>
        found.length > 0
          ? found.map((group) => table(group, names))
          : [h("p", { class: "empty" }, emptyWords(store, entries.length))],
      );
      // In place: a row made anew would take the keyboard's focus from its link.
      const lefts = body.querySelectorAll(".left");
      rows.forEach(({ left }, at) => {
        const element = lefts[at];
        if (element !== undefined) setText(element, left);
      });
      return `${past > 0 ? `${past} past - ` : ""}Calendar - ${name}`;
    },
  };
}

function chosen(store: Store, id: string): Machine | null {
  if (id === "") return null;
  const item = store.evidence?.equipment.find((one) => one.id === id);
  return { id, licence: item?.licence?.number ?? null };
}

function emptyWords(store: Store, all: number): string {
  if (store.evidence === null) return "No word yet";
  return all > 0
    ? "Nothing of this machine ends or falls due."
    : "Nothing ends or falls due that this gateway knows of.";
}

function table(group: Group, names: ReadonlyMap<string, string>): HTMLElement {
  const id = `group-${group.standing}`;
  return h(
    "section",
    { "aria-labelledby": id },
    h(
      "h3",
      { id, "data-standing": group.standing },
      ...(group.standing === "past" ? [icon("warning")] : []),
      `${group.name} (${group.rows.length})`,
    ),
    h(
      "table",
      { class: "sheet calendar", role: "table", "aria-labelledby": id },
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          ...HEADS.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
        ),
      ),
      h("tbody", { role: "rowgroup" }, ...group.rows.map((row) => tableRow(row, names))),
    ),
  );
}

function tableRow({ entry, standing }: Row, names: ReadonlyMap<string, string>): Node {
  const cell = (head: string, child: Node | string): HTMLTableCellElement =>
    h("td", { role: "cell", "data-head": head }, h("span", { class: "cell-body" }, child));
  const machine =
    entry.equipment === null
      ? entry.licence === null
        ? "all"
        : "of this licence"
      : h(
          "a",
          { href: `/licences/#${entry.equipment}` },
          names.get(entry.equipment) ?? entry.equipment,
        );
  return h(
    "tr",
    { role: "row", "data-standing": standing },
    h("th", { scope: "row", role: "rowheader" }, formatUtc(entry.at_ms)),
    cell("Left", h("span", { class: "left", "data-level": standing === "past" ? "warning" : "" })),
    cell("What", whatWords(entry.what)),
    cell("Which", entry.text),
    cell("Machine", machine),
    cell("Licence", entry.licence ?? ""),
  );
}

void show("calendar", calendar);

// The registry: which documents there are, and entering one.

import "../sheets.css";
import { NOT_LEGAL_ADVICE } from "../licences/words";
import { h } from "../dom";
import { show, type Sheet } from "../shell";
import type { Store } from "../store";
import { Entry } from "./entry";
import { List } from "./list";

function registry(store: Store): Sheet {
  const entry = new Entry(() => {
    void list.load();
  });
  const list: List = new List((row, members) => {
    entry.next(row, members);
  });
  void list.load();
  void entry.load();
  return {
    children: [h("p", { class: "lead" }, NOT_LEGAL_ADVICE), list.element, entry.element],
    update: () => `Registry - ${store.plant.name}`,
  };
}

void show("registry", registry);

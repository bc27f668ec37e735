// How liquids run through the sections, so that the picture and the list can show it. Pure.
// Organic goes from stage i-1 to i, aqueous from i+1 to i; both are told by a section's kind.

import type { Section, Stage } from "./types";

export interface Liquid {
  phase: "aqueous" | "organic";
  way: "in" | "out";
  label: string;
}

export interface Place {
  stage: Stage;
  section: Section;
  firstOfSection: boolean;
  column: boolean;
  /** Organic comes from the place before (for columns: the liquor does). */
  fromPrevious: boolean;
  /** Aqueous goes on to the place before. */
  toPrevious: boolean;
  /** Streams from and to the outside. */
  liquids: Liquid[];
}

const AQUEOUS: Record<string, { enters: string; leaves: string }> = {
  extraction: { enters: "Feed", leaves: "Raffinate" },
  scrub: { enters: "Scrub acid", leaves: "Scrub liquor" },
  strip: { enters: "Strip acid", leaves: "Product" },
  wash: { enters: "Wash water", leaves: "Wash liquor" },
  column: { enters: "Feed", leaves: "Effluent" },
};

export function places(sections: readonly Section[]): Place[] {
  const made: Place[] = [];
  for (const section of sections) {
    section.stages.forEach((stage, at) => {
      const previous = made.at(-1);
      // An outfall has one liquor, as a column has.
      const column = section.kind === "column" || section.kind === "outfall";
      const inSection = at > 0;
      const beside = previous !== undefined && !previous.column && !column;
      made.push({
        stage,
        section,
        firstOfSection: !inSection,
        column,
        fromPrevious: column ? inSection : beside,
        // Scrub liquor joins the extraction section; other sections keep their aqueous apart.
        toPrevious: beside && (inSection || joins(previous.section, section)),
        liquids: [],
      });
    });
  }
  made.forEach((place, at) => {
    place.liquids = outside(place, made[at + 1]);
  });
  return made;
}

/** The places in rows of at most `most`, broken between sections where a row would not be short. */
export function rowsOf(all: readonly Place[], most: number): Place[][] {
  const rows: Place[][] = [];
  let row: Place[] = [];
  all.forEach((place, at) => {
    const sectionLeft = all.findIndex((other, k) => k > at && other.firstOfSection);
    const length = (sectionLeft < 0 ? all.length : sectionLeft) - at;
    const splits = place.firstOfSection && row.length + length > most && row.length * 2 >= most;
    if (row.length >= most || splits) {
      rows.push(row);
      row = [];
    }
    row.push(place);
  });
  if (row.length > 0) rows.push(row);
  return rows;
}

function joins(before: Section, section: Section): boolean {
  return before.kind === "extraction" && section.kind === "scrub";
}

function outside(place: Place, next: Place | undefined): Liquid[] {
  // An outfall's name says what leaves it.
  if (place.section.kind === "outfall") return [];
  const names = AQUEOUS[place.section.kind] ?? { enters: "In", leaves: "Out" };
  const lastOfSection = next === undefined || next.firstOfSection;
  const liquids: Liquid[] = [];
  if (place.column) {
    if (!place.fromPrevious) liquids.push({ phase: "aqueous", way: "in", label: names.enters });
    if (lastOfSection) liquids.push({ phase: "aqueous", way: "out", label: names.leaves });
    return liquids;
  }
  if (!place.fromPrevious) liquids.push({ phase: "organic", way: "in", label: "Organic in" });
  if (place.firstOfSection && !place.toPrevious) {
    liquids.push({ phase: "aqueous", way: "out", label: names.leaves });
  }
  if (lastOfSection) liquids.push({ phase: "aqueous", way: "in", label: names.enters });
  if (next?.fromPrevious !== true) {
    liquids.push({ phase: "organic", way: "out", label: "Organic out" });
  }
  return liquids;
}

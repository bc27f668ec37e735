// The registry's JSON as docs/api.md describes it.

export interface Field {
  name: string;
  kind: string;
  needed: boolean;
  many: boolean;
  end: boolean;
  choices: string[];
  open: boolean;
  chars_max: number | null;
  low: number | null;
  high: number | null;
  fields: Field[];
}

export interface KindForm {
  kind: string;
  fields: Field[];
}

export interface Preview {
  kind: string;
  name: string;
  version: number;
  replaces: string | null;
  sha256: string;
  bytes: number;
  toml: string;
  notes: string[];
}

export interface Taken {
  kind: string;
  name: string;
  version: number;
  sha256: string;
  index: number | null;
  known: boolean;
}

export interface DocumentRow {
  kind: string;
  name: string;
  version: number;
  sha256: string;
  replaces: string | null;
  index: number | null;
  time_ms: number | null;
  state: string;
  changed: number | null;
  newest: boolean;
  vouched: string | null;
  signed_by: string | null;
  title: string;
}

export interface Registry {
  documents: DocumentRow[];
  total: number;
  policy: boolean;
  problem: string;
  suggestions: Alike[];
}

/** `name` stands in `where`; `like` is like it, a name of `party`, `what` there. */
export interface Alike {
  name: string;
  where: string;
  like: string;
  party: string;
  what: string;
  score: number;
}

/** A known name like one that was asked for. */
export interface Party {
  name: string;
  party: string;
  what: string;
  score: number;
}

export interface DocumentText {
  sha256: string;
  kind: string;
  toml: string;
  members: Record<string, unknown>;
}

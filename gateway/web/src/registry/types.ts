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
  index: number;
  time_ms: number;
  state: string;
  changed: number;
  newest: boolean;
  signed_by: string[];
  title: string;
}

export interface Registry {
  documents: DocumentRow[];
  total: number;
  suggestions: { name: string; of: string; like: string; why: string }[];
}

export interface DocumentText {
  sha256: string;
  kind: string;
  toml: string;
  members: Record<string, unknown>;
}

"""Writes docs/formats/vectors: python firmware/tests/make_vectors.py [--check].

The bytes are made without raffinate_wire, so that the vectors can show it wrong. --check compares
with the files that are there and changes none.
"""

import json
import sys
from pathlib import Path

import vectors_crypto
import vectors_evidence
import vectors_messages
import vectors_text

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "formats" / "vectors"
SOURCES = (vectors_text, vectors_messages, vectors_evidence, vectors_crypto)


def main() -> int:
    """Write or compare every file; 1 when one differs."""
    stale = 0
    for source in SOURCES:
        for name, (about, cases) in source.files().items():
            path = FOLDER / f"{name}.json"
            lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
            text = f'{{\n"about": {json.dumps(about)},\n"cases": [\n{lines}\n]\n}}\n'
            if "--check" not in sys.argv:
                path.write_text(text)
            elif not path.exists() or path.read_text() != text:
                print(f"{path} differs from what make_vectors.py writes")
                stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())

"""A checkpoint as a QR code: to be photographed or printed, and held against the log later."""

from __future__ import annotations

from io import BytesIO, StringIO

import segno

BYTES_MAX = 2300
"""What a QR code of error correction M holds."""


def as_text(note: bytes) -> str:
    """For a terminal: two rows of the code in one line of half blocks."""
    sink = StringIO()
    _code(note).terminal(sink, compact=True)
    return sink.getvalue()


def as_svg(note: bytes) -> bytes:
    """A whole SVG file, black on white; it scales."""
    sink = BytesIO()
    _code(note).save(
        sink, kind="svg", border=4, light="#fff", dark="#000", svgclass=None, lineclass=None
    )
    return sink.getvalue()


def _code(note: bytes) -> segno.QRCode:
    """Raises ValueError beyond BYTES_MAX."""
    if len(note) > BYTES_MAX:
        raise ValueError(f"a checkpoint of {len(note)} bytes fits no QR code")
    return segno.make_qr(note, error="m", mode="byte")

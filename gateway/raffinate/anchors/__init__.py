"""Asks witnesses and a timestamp server about the published log, each from a thread of its own.

Reads only the published folder (`<data>/log`), so it needs nothing of the ingest thread; what it
gets goes back through a bounded list that the evidence service empties at its tick.
"""

from raffinate.anchors.askers import open_askers
from raffinate.anchors.published import PublishedLog, open_published

__all__ = ["PublishedLog", "open_askers", "open_published"]

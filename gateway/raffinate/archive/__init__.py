"""Frames on disk in the order of arrival: the one store from which all others can be made again."""

from raffinate.archive.batch import Batch, Commit, Incoming, Quarantined, Rejected
from raffinate.archive.store import FrameArchive

__all__ = ["Batch", "Commit", "FrameArchive", "Incoming", "Quarantined", "Rejected"]

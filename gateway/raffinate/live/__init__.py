"""The newest values, for page and stream."""

from raffinate.live.hub import Hub

__all__ = ["Hub"]

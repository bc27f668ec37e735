"""The HTTP API, the event stream and the operator's pages; one host, no cookies."""

from raffinate.web.app import create_app

__all__ = ["create_app"]

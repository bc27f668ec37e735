"""The node: see docs/architecture.md."""

"""A witness: cosigns the heads of logs it trusts, and never two that contradict each other.

Knows nothing of the gateway. Who runs it is not the plant: see docs/witness.md.
"""

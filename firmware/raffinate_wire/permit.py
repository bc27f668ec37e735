"""Permits: the short-lived, signed leave to start one equipment."""

LIFE_MS_MAX = 7 * 24 * 3600 * 1000
STAGES_MAX = 80
MODE_START = "start"


class Permit:
    """serial site node keyid equipment licence licence_sha256 purpose stages (list) issued_ms not_before_ms not_after_ms grace_ms run_ms_limit volume_ml_limit (or None) mode."""


def format_permit(
    serial: int,
    site: str,
    node: str,
    keyid: str,
    equipment: str,
    licence: str,
    licence_sha256: str,
    purpose: str,
    stages: "list[str]",
    issued_ms: int,
    not_before_ms: int,
    not_after_ms: int,
    grace_ms: int,
    run_ms_limit: int,
    volume_ml_limit: "int | None" = None,
    mode: str = MODE_START,
) -> bytes:
    """Return the payload of a permit; raise WireError. Times UTC ms; limits absolute registers."""
    raise NotImplementedError


def parse_permit(payload: bytes) -> Permit:
    """Return the permit; raise WireError."""
    raise NotImplementedError

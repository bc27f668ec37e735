"""The errors of the gateway, each made for the person who must act on it."""

from __future__ import annotations


class RaffinateError(Exception):
    """Something a user can mend; the message names what, where and how. Exit status 1."""

    exit_status = 1


class ConfigError(RaffinateError):
    """A configuration file is wrong; the message names file, key and remedy. Exit status 2."""

    exit_status = 2


class StorageFullError(RaffinateError):
    """A store reached its size limit or its disk is full; nothing of the batch was kept."""


class RejectedError(RaffinateError):
    """An incoming message is refused for good; `code` is the short reason sent to the node."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def printable(text: str) -> str:
    """The text on one line: a hostile name must not rule the terminal that shows it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)

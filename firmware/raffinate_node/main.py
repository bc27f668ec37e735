"""Where a node begins: a board's own main.py calls main(), a rig runs `-m raffinate_node.main`."""

import gc
import os
import sys
import time

import raffinate_node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from raffinate_node.settings import Config

# Needed once, to read node.json; then their code is let go of.
READERS = ("config", "points", "members", "strict_json")
BUFFERS_BYTES = 6144
GARBAGE_BYTES = 4096
RESTART_S = 2
HALS = {"linux": "unix", "darwin": "unix", "esp32": "esp32", "rp2": "rp2"}


def main() -> None:
    """Run the node for ever; what is wrong with its setting goes to the console in one line."""
    # Otherwise what lasts is scattered over the whole heap before the first collection.
    gc.threshold(GARBAGE_BYTES)
    try:
        # First, while the heap is empty: what the readers leave behind are small holes, which the
        # small pieces of the node's code then fill.
        config = read_config(flash_root())
        # Keeps a piece of the heap whole for the buffers that come after the code.
        reserve = bytearray(config.outbox["ram_bytes_max"] + BUFFERS_BYTES)
        hal = make_hal()
        run = load_app()
        del reserve
        hal.configure(config)
    except Exception as error:
        if type(error).__name__ not in ("ConfigError", "ValueError"):
            raise
        print(f"raffinate error {error}")  # noqa: T201 - the console, where no hal may be yet
        sys.exit(1)
    try:
        run(hal, config)
    except OSError as error:
        # Flash failed before there were tasks to supervise: a board would stay at its prompt.
        hal.console(f"raffinate error start: {error!r}; reset in {RESTART_S} s")
        time.sleep(RESTART_S)
        hal.reset()


def flash_root() -> str:
    """Return the folder that holds node.json; raise ValueError where it is not known."""
    if sys.platform not in HALS:
        raise ValueError(f"there is no hal for {sys.platform}: there are esp32, rp2 and linux")
    if HALS[sys.platform] != "unix":
        return "/raffinate"
    folder = os.getenv("RAFFINATE_FLASH")
    if not folder:
        raise ValueError(
            "the environment variable RAFFINATE_FLASH is not set: it is the node's flash folder"
        )
    return folder


def make_hal() -> "Any":
    """Return the Hal of this port; raise ValueError where it lacks a setting."""
    name = f"raffinate_node.hal.{HALS[sys.platform]}"
    __import__(name)
    return sys.modules[name].Hal()


def load_app() -> "Any":
    """Load the node's code; return what runs it, given hal and configuration."""
    import asyncio  # noqa: PLC0415 - after the hal's setting was judged

    from raffinate_node.app import App  # noqa: PLC0415 - the same
    from raffinate_node.evidence import Evidence  # noqa: PLC0415 - the same

    return lambda hal, config: asyncio.run(App(hal, config, Evidence).run())


def read_config(root: str) -> "Config":
    """Return the node's configuration, and let go of the code that read it; raise ConfigError."""
    from raffinate_node import config  # noqa: PLC0415 - see READERS

    settings = config.load(root + "/node.json")
    del config
    for name in READERS:
        # Linked, config holds what it needs of the others.
        if sys.modules.pop("raffinate_node." + name, None) is not None:
            delattr(raffinate_node, name)
    gc.collect()
    return settings


if __name__ == "__main__":
    main()

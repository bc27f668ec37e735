"""The built page as static files: hashed assets for good, everything else asked for anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

STATIC_DIR = Path(__file__).parent / "static"


class Page(StaticFiles):
    """Serves the files of `directory`; says how to build them where they are missing."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, html=True, check_dir=False)
        # The base class would refuse a missing folder with a traceback; see get_response.
        self.config_checked = True
        self._index = directory / "index.html"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at `path`; 503 with the remedy if the page has not been built."""
        if path == "." and not self._index.is_file():
            return PlainTextResponse(
                "The page is not built. In gateway/web run: npm ci && npm run build\n"
                "The API at /api/v1/ works without it.\n",
                status_code=503,
            )
        response = await super().get_response(path, scope)
        hashed = path.startswith("assets/")
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if hashed else "no-cache"
        )
        return response

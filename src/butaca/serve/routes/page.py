"""This module serves the page: files of this package, tagged so that a browser knows that it has them."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from butaca.serve.http.packed import Packed
from butaca.serve.http.problems import not_found
from butaca.serve.routes.common import packed_response, service_of

FOLDER = Path(__file__).parents[1] / "page"

#: What may be asked for, by the end of its name.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}

router = APIRouter(include_in_schema=False)

#: What a page says where no keys are needed, hidden and shown.
OPEN = b'<p id="open" class="open" data-t="open" hidden>', b'<p id="open" class="open" data-t="open">'

_kept: dict[tuple[Path, bool], tuple[tuple[int, int], Packed]] = {}


def file_response(name: str, request: Request) -> Response:
    """Answers a file of the page, or 304 where the browser has it; a page says whether it is open to all.

    Raises:
        Problem: 404.
    """
    try:
        path = (FOLDER / name).resolve()
        known = path.is_relative_to(FOLDER.resolve()) and path.is_file()
    except (OSError, ValueError):  # longer than a name may be; a NUL in it
        known = False
    if not known:
        raise not_found(request.url.path)
    stat = path.stat()
    stamp = (stat.st_mtime_ns, stat.st_size)
    is_open = path.suffix == ".html" and service_of(request).keys is None
    kept = _kept.get((path, is_open))
    if kept is None or kept[0] != stamp:
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        content = path.read_bytes().replace(*OPEN) if is_open else path.read_bytes()
        packed = Packed.of(content, kind, compress=path.suffix != ".woff2")
        kept = _kept[path, is_open] = (stamp, packed)
    return packed_response(kept[1], request, headers={})


@router.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    """Shows the page to pick films and see recommendations."""
    return file_response("index.html", request)


@router.api_route("/state", methods=["GET", "HEAD"])
async def state(request: Request) -> Response:
    """Shows the page of the service's state."""
    return file_response("state.html", request)


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(path: str, request: Request) -> Response:
    """Serves styles, scripts and fonts."""
    return file_response(f"static/{path}", request)

"""This module serves the page: files of this package, tagged so that a browser knows that it has them."""

from __future__ import annotations

import json
import mimetypes
from html import escape
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from butaca.serve.http.packed import Packed
from butaca.serve.http.problems import not_found
from butaca.serve.routes.common import TheService, packed_response, service_of
from butaca.serve.service import Service

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

#: Files kept ready, in all that they were told.
MOST_KEPT = 200

router = APIRouter(include_in_schema=False)

#: What a page says where no keys are needed, hidden and shown.
OPEN = b'<p id="open" class="open" data-t="nokey" hidden>', b'<p id="open" class="open" data-t="nokey">'

_kept: dict[tuple[Path, str, bool], tuple[tuple[int, int], Packed]] = {}


def told(service: Service) -> str:
    """Returns what a page is told in its head: a noun, whether lists keep what was had, hosts of pictures."""
    said = {
        "butaca-noun": service.noun.as_json(),
        "butaca-again": service.registry.serving.default.recommender.again,
        "butaca-pictures": list(service.settings.picture_hosts),
    }
    lines = [
        f'<meta name="{name}" content="{escape(json.dumps(value, ensure_ascii=False))}">'
        for name, value in said.items()
    ]
    return "\n".join(lines)


def file_response(name: str, request: Request, *, head: str = "") -> Response:
    """Answers a file of the page, or 304 where the browser has it; a page says whether it is open to all.

    Args:
        name: of the file, below the page's folder.
        request: for what the browser has.
        head: lines for the head of a page of HTML.

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
    kept = _kept.get((path, head, is_open))
    if kept is None or kept[0] != stamp:
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        content = path.read_bytes().replace(*OPEN) if is_open else path.read_bytes()
        if head:
            content = content.replace(b"</head>", head.encode() + b"\n</head>", 1)
        packed = Packed.of(content, kind, compress=path.suffix != ".woff2")
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        kept = _kept[path, head, is_open] = (stamp, packed)
    return packed_response(kept[1], request, headers={})


@router.api_route("/", methods=["GET", "HEAD"])
async def index(service: TheService, request: Request) -> Response:
    """Shows the page to pick items and see recommendations."""
    return file_response("index.html", request, head=told(service))


@router.api_route("/state", methods=["GET", "HEAD"])
async def state(service: TheService, request: Request) -> Response:
    """Shows the page of the service's state."""
    return file_response("state.html", request, head=told(service))


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(path: str, request: Request) -> Response:
    """Serves styles, scripts and fonts."""
    return file_response(f"static/{path}", request)

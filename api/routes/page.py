"""The page: files that are served as they are, under one strict policy for what they may do."""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from footnote.errors import NotFound

router = APIRouter(include_in_schema=False)

VIEWS = (
    "/", "/answers/{answer_id}", "/evidence/{answer_id}/{citation_id}", "/datanets",
    "/datanets/{path:path}", "/contributors", "/contributors/{address}", "/operator",
)  # fmt: skip
"""Addresses of the page; ``app.js`` knows which view each one is."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


async def page(request: Request) -> Response:
    """The page itself; which view it shows, its address says."""
    return _sent(request, "index.html")


async def static(path: str, request: Request) -> Response:
    """A part of the page."""
    return _sent(request, path)


for _path in VIEWS:
    router.add_api_route(_path, page, methods=["GET", "HEAD"])
router.add_api_route("/static/{path:path}", static, methods=["GET", "HEAD"])


def _sent(request: Request, path: str) -> Response:
    found = _file(path)
    headers = _HEADERS | {"ETag": found.tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers=headers)
    media_type = mimetypes.guess_type(path)[0] or "text/plain"
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed, headers=headers, media_type=media_type)
    return Response(found.content, headers=headers, media_type=media_type)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    packed: bytes
    tag: str


@cache
def _files() -> dict[str, Traversable]:
    """All there is, by its path: nothing else can be asked for."""
    found: dict[str, Traversable] = {}

    def gather(folder: Traversable, prefix: str) -> None:
        for one in folder.iterdir():
            if one.is_dir():
                gather(one, f"{prefix}{one.name}/")
            else:
                found[prefix + one.name] = one

    gather(files("api") / "static", "")
    return found


@cache
def _file(path: str) -> _File:
    if path not in _files():
        raise NotFound("nothing is at this address", "see /docs")
    content = _files()[path].read_bytes()
    tag = f'W/"{sha256(content).hexdigest()[:32]}"'  # weak: the same packed or not
    return _File(content, gzip.compress(content, mtime=0), tag)

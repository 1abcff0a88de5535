"""The last step of an answer that was made here: its entity tag, whether the client has it already, its coding.

The order matters: the tag is of the plain body, a coding to be used makes it weak, and only then is it compared, so
that a body that nobody needs is not compressed. Pass-through answers do not come here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

from msgspec.structs import replace
from multidict import CIMultiDict

from proxy.engine.codings import Coding, is_compressible
from proxy.engine.negotiation import choose_coding
from proxy.message import Headers, Request, Response
from proxy.service import Layer, Service

MIN_SIZE = 1024
"""Smaller bodies fit into one packet as they are."""
THREAD_SIZE = 64 * 1024
"""Compressing more than this takes a millisecond and would keep every other request waiting."""

_OPAQUE = re.compile(r'"([^"]*)"')
# They describe a body, and a 304 has none (RFC 9110 §15.4.5).
_OF_THE_BODY = ("Content-Type", "Content-Length", "Content-Encoding", "Content-Language")


def finishing(*, etag: bool, codings: Mapping[str, Coding]) -> Layer | None:
    """The layer that finishes answers, with or without tags and in these codings; None if there is nothing to do."""
    if not etag and not codings:
        return None
    names = tuple(codings)

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def finished(request: Request) -> Response:
            response = await inner(request)
            coding = None
            if names and len(response.body) >= MIN_SIZE and may_compress(response.headers):
                add_vary(response.headers, "Accept-Encoding")
                coding = choose_coding(", ".join(request.headers.getall("Accept-Encoding", ())), names)
            tagged = etag and is_tagged(request, response)
            if tagged and "ETag" not in response.headers:
                response.headers["ETag"] = entity_tag(response.body)
            if coding is not None:
                weaken(response.headers)
            if tagged and has_already(request.headers, response.headers["ETag"]):
                return not_modified(response)
            if coding is not None:
                response.headers["Content-Encoding"] = coding
                response.body = await compress(codings[coding], response.body)
            return response

        return finished

    return layer


def is_tagged(request: Request, response: Response) -> bool:
    """Whether an answer is one to ask for again: a whole one to a GET or HEAD."""
    return response.status == 200 and not response.partial and request.method in ("GET", "HEAD")


def entity_tag(body: bytes) -> str:
    """A strong entity tag: equal bodies have the same, others another (RFC 9110 §8.8.3)."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def has_already(request: Headers, etag: str) -> bool:
    """Whether `If-None-Match` names the tag or anything, by the weak comparison (RFC 9110 §13.1.2, §8.8.3.2)."""
    if "If-None-Match" not in request:
        return False
    fields = request.getall("If-None-Match")
    return any(field.strip() == "*" for field in fields) or etag.removeprefix("W/").strip('"') in _OPAQUE.findall(
        ", ".join(fields)
    )


def not_modified(response: Response) -> Response:
    """The 304 in the place of an answer: what caches need to know again, without a body (RFC 9110 §15.4.5)."""
    headers = response.headers.copy()
    for name in _OF_THE_BODY:
        headers.popall(name, None)
    return replace(response, status=304, headers=headers, body=b"")


def may_compress(headers: CIMultiDict[str]) -> bool:
    """Whether a body with these headers may have a coding: a type that is worth it, and nobody has said no."""
    return (
        is_compressible(headers.get("Content-Type", ""))
        and "Content-Encoding" not in headers
        and "no-transform" not in headers.get("Cache-Control", "").lower()
    )


def weaken(headers: CIMultiDict[str]) -> None:
    """Make the entity tag weak: the bytes differ from those of the plain body, the meaning does not."""
    etag = headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        headers["ETag"] = f"W/{etag}"


def add_vary(headers: CIMultiDict[str], *names: str) -> None:
    """Let `Vary` name these too (RFC 9110 §12.5.5)."""
    fields = [part.strip() for value in headers.getall("Vary", ()) for part in value.split(",") if part.strip()]
    named: dict[str, str] = {}
    for name in (*fields, *names):
        named.setdefault(name.lower(), name)
    if named:
        headers["Vary"] = "*" if "*" in named else ", ".join(named.values())


async def compress(coding: Coding, body: bytes) -> bytes:
    """The body in a coding."""
    if len(body) > THREAD_SIZE:
        return await asyncio.to_thread(coding.compress, body)
    return coding.compress(body)

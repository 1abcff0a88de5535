"""A stored answer as one to a request: its age, whether the client has it already, what the cache says of itself."""

from multidict import CIMultiDict

from proxy.cache.store import Stored
from proxy.engine.finish import has_already, not_modified
from proxy.message import Headers, Request, Response
from proxy.policy.freshness import age_at, not_modified_since

NAME = "proxy-composer"


def answer_from(request: Request, stored: Stored, now: float, how: str | None, *, fresh: bool = False) -> Response:
    """The answer to a GET or HEAD. `how` is for Cache-Status, None for none; `fresh`: it has come this moment."""
    headers = CIMultiDict(stored.headers)
    age = age_at(stored.terms, stored.came_at, now)
    if not fresh:
        headers["Age"] = str(int(age))  # RFC 9111 §5.1
    if how is not None:
        if not how.startswith("fwd=miss; fwd-status"):
            how += f"; ttl={int(stored.terms.fresh_s - age)}"
        mark(headers, how)
    # The server does not send the body to HEAD, only its length.
    response = Response(stored.status, headers, stored.body)
    return not_modified(response) if stored.status == 200 and has(request.headers, headers) else response


def has(request: Headers, headers: Headers) -> bool:
    """Whether a client has an answer already (RFC 9110 §13.2.2): by its tag, or else by its date."""
    if "If-None-Match" in request:
        return "ETag" in headers and has_already(request, headers["ETag"])
    return "If-Modified-Since" in request and not_modified_since(request, headers)


def mark(headers: CIMultiDict[str], how: str) -> None:
    """Say what the cache did (RFC 9211), behind what caches further up have said."""
    headers.add("Cache-Status", f"{NAME}; {how}")

"""Error pages by status: what a client gets instead of an upstream's error, or of a problem document of ours."""

from collections.abc import Awaitable, Callable, Mapping

from multidict import CIMultiDict

from proxy.document import InvalidJson, encode_json
from proxy.engine.context import build_scope
from proxy.errors import GatewayError
from proxy.expr.scope import MISSING, Scope
from proxy.message import Request, Response
from proxy.plan.fields import header_values
from proxy.plan.nodes import PagePlan
from proxy.service import Layer, Service

# What an answer says of the body that it came with (RFC 9110 §8, RFC 9111 §5), and of where to find more of it.
_OF_THE_BODY = frozenset(
    {"accept-ranges", "age", "cache-control", "digest", "etag", "expires", "last-modified", "link", "location"}
    | {"pragma", "refresh", "repr-digest", "trailer"}
)


def error_pages(pages: Mapping[int, PagePlan]) -> Layer:
    """Answers and errors with one of these statuses become pages."""

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def paged(request: Request) -> Response:
            try:
                response = await inner(request)
            except GatewayError as error:
                page = pages.get(error.status)
                if page is None:
                    raise
                return await _page_for_error(page, error, request)
            page = pages.get(response.status)
            return response if page is None else await _page_for_answer(page, response, request)

        return paged

    return layer


async def _page_for_error(page: PagePlan, error: GatewayError, request: Request) -> Response:
    response = await _make(page, request, error.status, error.code, error.detail)
    for name, value in error.headers.items():
        response.headers.setdefault(name, value)
    response.error, response.close = error.code, error.close
    return response


async def _page_for_answer(page: PagePlan, answer: Response, request: Request) -> Response:
    """The page in place of the answer, whose other headers stay: cookies, CORS, Retry-After."""
    code = answer.error or "upstream_status"
    response = await _make(page, request, answer.status, code, f"the upstream answered with status {answer.status}")
    for name in dict.fromkeys(answer.headers):
        plain = name.lower()
        if name not in response.headers and plain not in _OF_THE_BODY and not plain.startswith("content-"):
            response.headers.extend((name, value) for value in answer.headers.getall(name))
    response.error, response.close = answer.error, answer.close
    response.faults, response.misses = answer.faults, answer.misses
    answer.end()  # nobody reads its body
    return response


async def _make(page: PagePlan, request: Request, status: int, code: str, detail: str) -> Response:
    try:
        scope = await build_scope(request, page.roots)
    except GatewayError:
        scope = Scope({})  # the request cannot be read, which may be the very error
    scope["error"] = {"status": status, "code": code, "detail": detail}
    headers: CIMultiDict[str] = CIMultiDict({"Cache-Control": "no-store"})
    body = b""
    if page.body is not None:
        value = page.body(scope)
        headers["Content-Type"] = "text/plain; charset=utf-8" if page.is_text else "application/json"
        body = value.encode("utf-8", "replace") if page.is_text else _json(value)
    for field in page.headers:
        try:
            headers.update(header_values((field,), scope))
        except GatewayError:  # a value of the client's that cannot stand in a header: left out
            continue
    return Response(status if page.status is None else page.status, headers, body)


def _json(value: object) -> bytes:
    """The text of a value, null for one that has none: a client's header may hold bytes that are no text."""
    try:
        return encode_json(None if value is MISSING else value)
    except InvalidJson:
        return b"null"

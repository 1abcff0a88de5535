"""The actions that ask nobody: `reply` and `redirect`."""

from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from proxy.document import InvalidJson, encode_json, scalar_text
from proxy.engine.context import build_scope
from proxy.errors import BadRequest
from proxy.expr.scope import MISSING
from proxy.message import Request, Response
from proxy.plan.fields import header_values
from proxy.plan.nodes import RedirectPlan, ReplyPlan


def reply_action(plan: ReplyPlan) -> Callable[[Request], Awaitable[Response]]:
    """A service that answers with a fixed or computed body."""

    async def reply(request: Request) -> Response:
        scope = await build_scope(request, plan.roots)
        headers: CIMultiDict[str] = CIMultiDict()
        body = b""
        if plan.body is not None:
            value = plan.body(scope)
            headers["Content-Type"] = "text/plain; charset=utf-8" if plan.is_text else "application/json"
            try:
                body = (scalar_text(value) or "").encode() if plan.is_text else encode_json(_or_null(value))
            except (InvalidJson, UnicodeEncodeError):
                # All that can be in it came from the client: bytes of a header, say, that are not UTF-8.
                raise BadRequest("the request holds something that cannot be repeated as text") from None
        headers.update(header_values(plan.headers, scope))
        return Response(plan.status, headers, body)

    return reply


def _or_null(value: object) -> object:
    return None if value is MISSING else value


def redirect_action(plan: RedirectPlan) -> Callable[[Request], Awaitable[Response]]:
    """A service that sends the client elsewhere."""

    async def redirect(request: Request) -> Response:
        scope = await build_scope(request, plan.roots)
        return Response(plan.status, CIMultiDict({"Location": plan.location(scope)}))

    return redirect

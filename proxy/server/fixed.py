"""The actions that ask nobody: `reply` and `redirect`."""

from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from proxy.document import encode_json, scalar_text
from proxy.engine.context import build_scope
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
            if plan.is_text:
                headers["Content-Type"] = "text/plain; charset=utf-8"
                body = (scalar_text(value) or "").encode()
            else:
                headers["Content-Type"] = "application/json"
                body = encode_json(None if value is MISSING else value)
        headers.update(header_values(plan.headers, scope))
        return Response(plan.status, headers, body)

    return reply


def redirect_action(plan: RedirectPlan) -> Callable[[Request], Awaitable[Response]]:
    """A service that sends the client elsewhere."""

    async def redirect(request: Request) -> Response:
        scope = await build_scope(request, plan.roots)
        return Response(plan.status, CIMultiDict({"Location": plan.location(scope)}))

    return redirect

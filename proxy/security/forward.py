"""Who asks, decided by an upstream: it sees the head of each request, and lets it in or has an answer of its own."""

import asyncio
from collections.abc import Callable
from itertools import chain

from multidict import CIMultiDict, CIMultiDictProxy

from proxy.clock import monotonic
from proxy.errors import GatewayError, UpstreamStatus, UpstreamTimeout
from proxy.events import CallFinished, Observer
from proxy.message import CallRecord, Fields, Headers, Request, Response, end_to_end, spellings
from proxy.plan.auth import Claims, ForwardPlan
from proxy.plan.upstreams import UpstreamPlan
from proxy.security.credentials import AnsweredInstead, Identify, one_header
from proxy.upstream.exchange import Upstream, UpstreamRequest, UpstreamResponse

# A page that says where to log in is not longer.
_MAX_BODY = 256 * 1024
_CODES = {401: "unauthorized", 403: "forbidden"}


def forward(plan: ForwardPlan, upstream: Upstream, upstream_plan: UpstreamPlan, observer: Observer) -> Identify:
    """Whoever the upstream lets in. What else it answers is for the client, but for its own failures (5xx)."""
    replace = _replacing(plan)
    read_claims = _claims_reader(plan)
    call = f"auth:{plan.name}"

    async def identify(request: Request) -> Claims | None:
        outgoing = UpstreamRequest(
            method="GET",
            target=plan.target,
            headers=_question(plan, request, upstream_plan.host_for(request.host)),
            body=None,
            max_body=_MAX_BODY,
        )
        started = monotonic()
        status, error = 0, None
        try:
            answer = await _ask(upstream, outgoing, plan.timeout_s)
            status = answer.status
            if status >= 500:
                raise UpstreamStatus(status)
        except GatewayError as failed:
            error, failed.call = failed.code, call
            raise
        finally:
            _tell(request, call, plan.upstream, status, started, error, observer)
        if not 200 <= status < 300:
            raise AnsweredInstead(_answer_of(answer))
        if replace is not None:
            request.headers = replace(request.headers, answer.headers)
        if plan.tells:
            told = [(name, value) for name in plan.tells for value in answer.headers.getall(name, ())]
            request.told = [*(request.told or ()), *told]
        return read_claims(answer.headers)

    return identify


async def _ask(upstream: Upstream, outgoing: UpstreamRequest, timeout_s: float) -> UpstreamResponse:
    outgoing.deadline = monotonic() + timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            return await upstream.send(outgoing)
    except TimeoutError:
        raise UpstreamTimeout(f"no answer within {timeout_s:g} s") from None


def _question(plan: ForwardPlan, request: Request, host: str | None) -> Fields:
    """What it is told: what was asked for, by whom, and the headers that it is to see.

    The path is the normal form that is matched and forwarded: one that could be read in two ways decides nothing.
    """
    query = f"?{request.query}" if request.has_query else ""
    pairs = [
        ("X-Forwarded-Method", request.method),
        ("X-Forwarded-Proto", request.scheme),
        ("X-Forwarded-Host", request.host),
        ("X-Forwarded-Uri", f"{request.path}{query}"),
        ("X-Forwarded-For", request.client_ip),
        ("X-Request-Id", request.id),
    ]
    if host is not None:
        pairs.append(("Host", host))
    written = {name.lower() for name, _ in pairs}
    for name in plan.asks:
        if name.lower() not in written and (value := one_header(request, name)) is not None:
            pairs.append((name, value))
    return pairs


def _replacing(plan: ForwardPlan) -> Callable[[Headers, Headers], CIMultiDictProxy[str]] | None:
    """A function that puts the answer's headers into a request. Nothing that a client says of them is left."""
    if not plan.passes:
        return None
    ours = spellings(plan.passes)

    def replace(headers: Headers, answered: Headers) -> CIMultiDictProxy[str]:
        # As an option of Connection, a name would have the field taken away further on (RFC 9110 §7.6.1).
        kept = [
            (name, _without(value, ours) if name.lower() == "connection" else value) for name, value in headers.items()
        ]
        said = ((name, value) for name in plan.passes for value in answered.getall(name, ()))
        return CIMultiDictProxy(CIMultiDict(chain((pair for pair in kept if pair[0].lower() not in ours), said)))

    return replace


def _without(options: str, names: frozenset[str]) -> str:
    return ", ".join(part for one in options.split(",") if (part := one.strip()) and part.lower() not in names)


def _claims_reader(plan: ForwardPlan) -> Callable[[Headers], Claims]:
    def read(answered: Headers) -> Claims:
        return {claim: ", ".join(answered.getall(header)) for claim, header in plan.claims if header in answered}

    return read


def _answer_of(answer: UpstreamResponse) -> Response:
    """What it says to the client. Nobody keeps it: the next one may be let in."""
    headers = end_to_end(answer.headers, drop=("content-length",))
    headers["Cache-Control"] = "no-store"
    return Response(answer.status, headers, answer.body, error=_CODES.get(answer.status))


def _tell(
    request: Request, call: str, upstream: str, status: int, started: float, error: str | None, observer: Observer
) -> None:
    seconds = monotonic() - started
    began = round((started - request.received_at) * 1000, 3)
    request.calls.append(CallRecord(call, status, round(seconds * 1000, 3), error, 1, began))
    observer(CallFinished(request.route or "", call, upstream, status, seconds, error))

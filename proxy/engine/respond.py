"""What the client gets: the merged body, the marks of a partial answer, the headers of the route and of its calls."""

from collections.abc import Iterator

from multidict import CIMultiDict

from proxy.document import InvalidJson, encode_json
from proxy.engine.finish import add_vary
from proxy.engine.freshness import combine
from proxy.engine.outcome import Done, Failed, Fanned, Outcome
from proxy.errors import UpstreamInvalid
from proxy.expr.scope import MISSING, Scope
from proxy.message import Response
from proxy.plan.fields import header_values
from proxy.plan.nodes import CallPlan, CompositePlan


def respond(plan: CompositePlan, scope: Scope, outcomes: list[Outcome | None]) -> Response:
    """The answer of a composite whose calls are settled. Raises `UpstreamInvalid` if it cannot be written."""
    merged = plan.merge(scope)
    value = None if merged is MISSING else merged
    partial: tuple[str, ...] = ()
    if not plan.headers and all([type(outcome) is Done and outcome.plain for outcome in outcomes]):
        headers = CIMultiDict(plan.plain_headers)
    else:
        headers = CIMultiDict({"Content-Type": "application/json"})
        headers.update(header_values(plan.headers, scope))
        partial = partial_calls(plan, outcomes)
        _add_from_calls(headers, plan, list(answers(plan, outcomes)))
    if partial:
        if plan.errors_field is not None and isinstance(value, dict):
            value = {**value, plan.errors_field: _failures(plan, outcomes)}
        headers[plan.errors_header] = ", ".join(partial)
        headers["Cache-Control"] = "no-store"
    try:
        return Response(plan.status, headers, encode_json(value), partial, len(scope.faults), len(scope.misses))
    except InvalidJson as error:
        raise UpstreamInvalid(f"the answer cannot be written: {error}") from None


def answers(plan: CompositePlan, outcomes: list[Outcome | None]) -> Iterator[tuple[CallPlan, Done]]:
    """The answers that contributed, in the order of the file."""
    for call, outcome in zip(plan.calls, outcomes, strict=True):
        match outcome:
            case Done():
                yield call, outcome
            case Fanned(answers=several):
                yield from ((call, done) for done in several)


def _add_from_calls(headers: CIMultiDict[str], plan: CompositePlan, made: list[tuple[CallPlan, Done]]) -> None:
    """Cookies, Vary and Cache-Control as the calls' answers have it; what the route itself says stands."""
    cookies = [cookie for call, done in made if call.set_cookie for cookie in done.headers.getall("Set-Cookie", ())]
    for cookie in cookies:
        headers.add("Set-Cookie", cookie)
    if "Vary" not in headers:
        fields = ", ".join(field for _, done in made for field in done.headers.getall("Vary", ()))
        names = [name for part in fields.split(",") if (name := part.strip())] if fields else []
        # The coding of a call's answer ends here.
        add_vary(headers, *plan.vary, *(name for name in names if name.lower() != "accept-encoding"))
    if "Cache-Control" not in headers and (control := _cache_control(plan, made, bool(cookies))) is not None:
        headers["Cache-Control"] = control


def _cache_control(plan: CompositePlan, made: list[tuple[CallPlan, Done]], has_cookies: bool) -> str | None:
    if has_cookies:
        return "private, no-store"  # a cookie is for one client (RFC 9111 §7.3)
    complete = all(call.method in ("GET", "HEAD") for call, _ in made)
    return combine((done.headers for _, done in made), complete=complete, private=plan.private)


def partial_calls(plan: CompositePlan, outcomes: list[Outcome | None]) -> tuple[str, ...]:
    """The calls that took their fallback, in the order of the file.

    What an inner gateway says was partial in its own answer stands as `call.inner`.
    """
    names: list[str] = []
    for call, outcome in zip(plan.calls, outcomes, strict=True):
        match outcome:
            case Failed():
                names.append(call.name)
            case Fanned(failures=[_, *_]):
                names.append(call.name)
            case Done(inner_partial=str(inner)) | Fanned(inner_partial=str(inner)):
                names += [f"{call.name}.{part.strip()}" for part in inner.split(",") if part.strip()]
    return tuple(names)


def _failures(plan: CompositePlan, outcomes: list[Outcome | None]) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = []
    for call, outcome in zip(plan.calls, outcomes, strict=True):
        match outcome:
            case Failed(error=error, status=status):
                listed.append({"call": call.name, "code": error.code, "status": status})
            case Fanned(failures=failures):
                listed += [
                    {"call": call.name, "code": failed.error.code, "status": failed.status, "key": key}
                    for key, failed in failures
                ]
    return listed

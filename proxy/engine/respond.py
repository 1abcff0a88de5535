"""What the client gets: the merged body, the marks of a partial answer, the headers that the route adds."""

from multidict import CIMultiDict

from proxy.document import InvalidJson, encode_json
from proxy.engine.outcome import Done, Failed, Fanned, Outcome
from proxy.errors import UpstreamInvalid
from proxy.expr.scope import MISSING, Scope
from proxy.message import Response
from proxy.plan.fields import header_values
from proxy.plan.nodes import CompositePlan


def respond(plan: CompositePlan, scope: Scope, outcomes: list[Outcome | None]) -> Response:
    """The answer of a composite whose calls are settled. Raises `UpstreamInvalid` if it cannot be written."""
    merged = plan.merge(scope)
    value = None if merged is MISSING else merged
    partial = partial_calls(plan, outcomes)
    if plan.errors_field is not None and partial and isinstance(value, dict):
        value = {**value, plan.errors_field: _failures(plan, outcomes)}
    headers: CIMultiDict[str] = CIMultiDict({"Content-Type": "application/json"})
    headers.update(header_values(plan.headers, scope))
    if partial:
        headers[plan.errors_header] = ", ".join(partial)
        headers["Cache-Control"] = "no-store"
    try:
        return Response(plan.status, headers, encode_json(value), partial, len(scope.faults), len(scope.misses))
    except InvalidJson as error:
        raise UpstreamInvalid(f"the answer cannot be written: {error}") from None


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

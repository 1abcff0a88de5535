"""One call: the request that its plan and the scope make, and the outcome that an answer means."""

from collections.abc import Iterable
from typing import Any

from multidict import CIMultiDict

from proxy.document import InvalidJson, decode_json, encode_json
from proxy.engine.outcome import Done, Failed, Outcome, header_mapping
from proxy.engine.xml import parse_xml
from proxy.errors import ExtractionFailed, GatewayError, UpstreamInvalid, UpstreamStatus
from proxy.expr.cel import CelFailed
from proxy.expr.scope import MISSING, Scope
from proxy.message import Headers
from proxy.plan.fields import encode_fields, header_values
from proxy.plan.nodes import CallPlan
from proxy.upstream.encoding import decode_content
from proxy.upstream.exchange import UpstreamRequest, UpstreamResponse


def is_wanted(call: CallPlan, scope: Scope) -> bool:
    """What `when` says. Raises `ExtractionFailed` where it cannot be decided."""
    if call.when is None:
        return True
    try:
        decision = call.when(scope)
    except CelFailed as error:
        raise ExtractionFailed("its 'when' cannot be evaluated", internal=str(error)) from None
    if not isinstance(decision, bool):
        raise ExtractionFailed("its 'when' is neither true nor false")
    return decision


def build_request(call: CallPlan, scope: Scope, forwarded: Iterable[tuple[str, str]]) -> UpstreamRequest:
    """The request of a call. Raises `ExtractionFailed`, or `UnsafeValue` for what a client must not choose."""
    headers = CIMultiDict(forwarded)
    body = _body(call, scope, headers)
    headers.update(header_values(call.headers, scope))
    return UpstreamRequest(
        method=call.method, target=_target(call, scope), headers=headers, body=body, max_body=call.max_body
    )


def _target(call: CallPlan, scope: Scope) -> str:
    target = call.target.render(scope)
    if not call.query:
        return target
    query = encode_fields(call.query, scope)
    if not query:
        return target
    return f"{target}{'&' if '?' in target else '?'}{query}"


def _body(call: CallPlan, scope: Scope, headers: CIMultiDict[str]) -> bytes | None:
    if call.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return encode_fields(call.form, scope).encode("ascii")
    if call.body is None:
        return None
    headers["Content-Type"] = "application/json"
    value = call.body(scope)
    try:
        return encode_json(None if value is MISSING else value)
    except InvalidJson as error:
        raise ExtractionFailed(f"its body cannot be written: {error}") from None


def judge(call: CallPlan, response: UpstreamResponse) -> Outcome:
    """What an answer means to its call."""
    try:
        if response.status not in call.ok:
            return _refused(call, response)
        value = _decode(call, response)
        _check_ok_if(call, response, value)
        if call.select is not None:
            value = _select(call, value)
        return Done(response.status, response.headers, value, response.headers.get("X-Partial"), len(response.body))
    except GatewayError as error:
        return Failed(error, response.status)


def _refused(call: CallPlan, response: UpstreamResponse) -> Failed:
    body = None
    if call.pass_body and response.status in call.pass_status and _is_json(response.headers):
        body = _passable(call, response)
    return Failed(UpstreamStatus(response.status), response.status, body)


def _passable(call: CallPlan, response: UpstreamResponse) -> bytes | None:
    """The JSON of an error that is passed on, in no coding; None if it is not JSON after all."""
    try:
        body = decode_content(response.body, response.headers.get("Content-Encoding", ""), call.max_body)
        decode_json(body)
    except (GatewayError, InvalidJson):
        return None
    return body


def _decode(call: CallPlan, response: UpstreamResponse) -> Any:
    body = response.body
    if (coding := response.headers.get("Content-Encoding")) is not None:
        body = decode_content(body, coding, call.max_body)
    if call.decode == "text":
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise UpstreamInvalid("the answer is not UTF-8") from None
    if not body:
        return None
    if call.decode == "xml":
        return parse_xml(body, call.lists)
    try:
        return decode_json(body)
    except InvalidJson as error:
        raise UpstreamInvalid(f"the answer is not JSON: {error}") from None


def _check_ok_if(call: CallPlan, response: UpstreamResponse, value: Any) -> None:
    if call.ok_if is None:
        return
    scope = Scope({"status": response.status, "headers": header_mapping(response.headers), "body": value})
    try:
        holds = call.ok_if(scope)
    except CelFailed as error:
        raise UpstreamInvalid("its 'ok_if' cannot be evaluated over the answer", internal=str(error)) from None
    if holds is not True:
        raise UpstreamInvalid("its 'ok_if' does not hold for the answer")


def _select(call: CallPlan, value: Any) -> Any:
    assert call.select is not None
    selected = call.select(value)
    if selected is MISSING:
        raise ExtractionFailed(f"{call.select_text} finds nothing in the answer")
    return selected


def _is_json(headers: Headers) -> bool:
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")

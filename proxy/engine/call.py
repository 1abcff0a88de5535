"""One call: the request that its plan and the scope make, and the outcome that an answer means."""

from typing import Any

from proxy.document import InvalidJson, decode_json, encode_json
from proxy.engine.outcome import Done, Failed, Outcome, header_mapping
from proxy.engine.xml import parse_xml
from proxy.errors import ExtractionFailed, GatewayError, UpstreamInvalid, UpstreamStatus
from proxy.expr.cel import CelFailed
from proxy.expr.decoding import Decode
from proxy.expr.scope import MISSING, Scope
from proxy.message import Headers
from proxy.plan.fields import encode_fields, header_values
from proxy.plan.nodes import CallPlan
from proxy.upstream.encoding import decode_content
from proxy.upstream.exchange import Pairs, UpstreamRequest, UpstreamResponse


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


def build_request(call: CallPlan, scope: Scope, forwarded: Pairs) -> UpstreamRequest:
    """The request of a call. Raises `ExtractionFailed`, or `UnsafeValue` for what a client must not choose.

    `forwarded` are the headers that every call has; what the call itself writes takes their place.
    """
    headers, body = forwarded, None
    if call.body is not None or call.form is not None:
        body, media_type = _body(call, scope)
        headers = override(headers, [("Content-Type", media_type)])
    if call.headers:
        headers = override(headers, header_values(call.headers, scope))
    target = _target(call, scope)
    request = UpstreamRequest(method=call.method, target=target, headers=headers, body=body, max_body=call.max_body)
    if call.hash_key is not None:
        request.key = call.hash_key(scope)
    return request


def override(headers: Pairs, own: Pairs) -> Pairs:
    """The headers with others in the place of those of the same name."""
    names = {name.lower() for name, _ in own}
    return [pair for pair in headers if pair[0].lower() not in names] + own


def _target(call: CallPlan, scope: Scope) -> str:
    target = call.target.render(scope)
    if not call.query:
        return target
    query = encode_fields(call.query, scope)
    if not query:
        return target
    return f"{target}{'&' if '?' in target else '?'}{query}"


def _body(call: CallPlan, scope: Scope) -> tuple[bytes, str]:
    """The body and its media type."""
    if call.form is not None:
        return encode_fields(call.form, scope).encode("ascii"), "application/x-www-form-urlencoded"
    assert call.body is not None
    value = call.body(scope)
    try:
        return encode_json(None if value is MISSING else value), "application/json"
    except InvalidJson as error:
        raise ExtractionFailed(f"its body cannot be written: {error}") from None


def judge(call: CallPlan, response: UpstreamResponse, decode: Decode = decode_json) -> Outcome:
    """What an answer means to its call. `decode` reads its JSON, as far as anybody looks into it."""
    head = response.head
    try:
        if head.status not in call.ok:
            return _refused(call, response)
        value = _decode(call, response, decode)
        if call.ok_if is not None:
            _check_ok_if(call, response, value)
        if call.select is not None:
            value = _select(call, value)
        partial = None if head.plain else head.headers.get("X-Partial")
        return Done(head.status, head.headers, value, partial, len(response.body), head.plain)
    except GatewayError as error:
        return Failed(error, head.status)


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


def _decode(call: CallPlan, response: UpstreamResponse, decode: Decode) -> Any:
    body = response.body
    if not response.head.plain and (coding := response.headers.get("Content-Encoding")) is not None:
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
        return decode(body)
    except InvalidJson as error:
        raise UpstreamInvalid(f"the answer is not JSON: {error}") from None


def _check_ok_if(call: CallPlan, response: UpstreamResponse, value: Any) -> None:
    assert call.ok_if is not None
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

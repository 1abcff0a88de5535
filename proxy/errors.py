"""What can go wrong with a request: facts, not answers.

An error says whose fault it is and which status describes it; `to_problem` is the one place that turns it
into what a client reads (RFC 9457). The `detail` is written for the client and never holds the address, URL
or body of an upstream; `internal`, for the log, may.
"""

from http import HTTPStatus
from math import ceil
from typing import Any, Literal

Source = Literal["client", "upstream", "gateway"]

PROBLEM_TYPE = "application/problem+json"


class GatewayError(Exception):
    """A request that ends without the answer that the route promises.

    Attributes: `status` and `code` describe the cause; `source` says whose fault it is; `detail` is for the
    client; `internal` is for the log; `call` names the call that failed, where there is one; `headers` go
    with the answer; `close` asks that the client's connection is not used again.
    """

    status: int = 500
    code: str = "internal_error"
    source: Source = "gateway"
    close: bool = False

    def __init__(self, detail: str = "", *, internal: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(internal or detail)
        self.detail = detail
        self.internal = internal
        self.call: str | None = None
        self.headers: dict[str, str] = headers or {}


class BadRequest(GatewayError):
    """The client sent something that has no meaning here."""

    status = 400
    code = "bad_request"
    source: Source = "client"


class UnsafeValue(BadRequest):
    """A value from the client that would change the meaning of an upstream request."""

    code = "unsafe_value"


class Unauthorized(GatewayError):
    """Nobody knows who asks; `WWW-Authenticate` says what would tell (RFC 9110 §15.5.2)."""

    status = 401
    code = "unauthorized"
    source: Source = "client"


class Forbidden(GatewayError):
    """It is known who asks, and they may not."""

    status = 403
    code = "forbidden"
    source: Source = "client"


class KeysUnavailable(GatewayError):
    """Tokens cannot be checked, because the keys of their issuer have not been got yet."""

    status = 503
    code = "keys_unavailable"


class IssuerUnavailable(GatewayError):
    """The identity provider does not answer, and without it nobody can log in."""

    status = 503
    code = "issuer_unavailable"

    def __init__(self) -> None:
        headers = {"Retry-After": "5", "Cache-Control": "no-store"}
        super().__init__("nobody can log in at the moment", headers=headers)


class LoginFailed(GatewayError):
    """The identity provider's answer cannot be used."""

    status = 502
    code = "login_failed"
    source: Source = "upstream"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Cache-Control": "no-store"})


class RouteNotFound(GatewayError):
    status = 404
    code = "no_route"
    source: Source = "client"


class MethodNotAllowed(GatewayError):
    status = 405
    code = "method_not_allowed"
    source: Source = "client"

    def __init__(self, method: str, allow: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not served here", headers={"Allow": ", ".join(allow)})


class TooManyConnections(GatewayError):
    """There is no room for one more connection, or none for one more of this client."""

    status = 503
    code = "too_many_connections"
    close = True


class RequestTimeout(GatewayError):
    """The client did not send its request in time."""

    status = 408
    code = "request_timeout"
    source: Source = "client"
    close = True


class ExpectationFailed(GatewayError):
    status = 417
    code = "expectation_failed"
    source: Source = "client"


class BodyTooLarge(GatewayError):
    status = 413
    code = "body_too_large"
    source: Source = "client"
    close = True


class TargetTooLong(GatewayError):
    status = 414
    code = "target_too_long"
    source: Source = "client"
    close = True


class HeadersTooLarge(GatewayError):
    status = 431
    code = "headers_too_large"
    source: Source = "client"
    close = True


class NotImplementedHere(GatewayError):
    """A method or coding that nobody here knows (RFC 9110 §15.6.2)."""

    status = 501
    code = "not_implemented"
    source: Source = "client"
    close = True


class LoopDetected(GatewayError):
    """A request has passed here too often: a route's upstream leads back to this gateway (RFC 9110 §7.6.3)."""

    status = 508
    code = "loop_detected"


class VersionNotSupported(GatewayError):
    status = 505
    code = "version_not_supported"
    source: Source = "client"
    close = True


class Overloaded(GatewayError):
    """More requests come than this process can answer, and this one has waited too long already."""

    status = 503
    code = "overloaded"

    def __init__(self) -> None:
        super().__init__("too many requests wait here", headers={"Retry-After": "1"})


class TooManyRequests(GatewayError):
    """A rate limit of the route (RFC 6585 §4)."""

    status = 429
    code = "rate_limited"
    source: Source = "client"

    def __init__(self, retry_s: float, headers: dict[str, str]) -> None:
        super().__init__("too many requests", headers={"Retry-After": str(max(1, ceil(retry_s))), **headers})


class TooManyAtOnce(GatewayError):
    """So many requests of this client, or of the route, are under way already."""

    status = 429
    code = "too_many_at_once"
    source: Source = "client"

    def __init__(self) -> None:
        super().__init__("too many requests are under way", headers={"Retry-After": "1", "Cache-Control": "no-store"})


class LimitsUnavailable(GatewayError):
    """Nobody can tell how often this was asked, and the route does not want to guess."""

    status = 503
    code = "limits_unavailable"

    def __init__(self) -> None:
        super().__init__("limits cannot be counted at the moment", headers={"Retry-After": "5"})


class ValidationFailed(GatewayError):
    """The request does not look as the route's schemas say. `errors`: in which part, where, and what is wrong."""

    status = 422
    code = "validation_failed"
    source: Source = "client"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("the request does not look as this route wants it")
        self.errors = errors


class UpstreamFailed(GatewayError):
    """The upstream could not be asked, or its answer cannot be used. `unsent`: it has not seen the request."""

    status = 502
    code = "upstream_failed"
    source: Source = "upstream"
    unsent: bool = False


class UpstreamUnreachable(UpstreamFailed):
    code = "upstream_unreachable"
    unsent = True


class TokenUnavailable(UpstreamFailed):
    """There is no token to say by who we are, so the upstream was not asked."""

    status = 503
    code = "token_unavailable"
    unsent = True

    def __init__(self) -> None:
        super().__init__("there is no token for it at the moment")


class UpstreamStatus(UpstreamFailed):
    """The upstream answered with a status that does not count as success."""

    code = "upstream_status"

    def __init__(self, upstream_status: int) -> None:
        super().__init__(f"the upstream answered with status {upstream_status}")
        self.upstream_status = upstream_status


class UpstreamInvalid(UpstreamFailed):
    """The upstream's answer breaks HTTP, JSON or a limit."""

    code = "upstream_invalid"


class UpstreamTooLarge(UpstreamFailed):
    code = "upstream_too_large"


class UpstreamTimeout(UpstreamFailed):
    status = 504
    code = "upstream_timeout"


class ConnectTimeout(UpstreamTimeout):
    """No connection came about in time."""

    code = "connect_timeout"
    unsent = True


class DeadlineExceeded(UpstreamFailed):
    """The route's own time ran out while a call was under way."""

    status = 504
    code = "deadline_exceeded"


class UpstreamBusy(UpstreamFailed):
    """No connection to the upstream came free in time."""

    status = 503
    code = "upstream_busy"
    unsent = True


class BreakerOpen(UpstreamFailed):
    """The upstream has failed too often, and is left alone for a while."""

    status = 503
    code = "breaker_open"
    unsent = True

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            "it has failed too often and is not asked for a while",
            headers={"Retry-After": str(max(1, ceil(wait_s)))},
        )


class ExtractionFailed(UpstreamFailed):
    """An expression of a call found nothing, or something that it cannot send."""

    code = "extraction_failed"


class MissingValue(ExtractionFailed):
    """What a call needs of the request is not there or of no use. A fallback covers it as any extraction failure."""

    status = 400
    code = "missing_value"
    source: Source = "client"


class TooManyItems(UpstreamFailed):
    """A fan-out over more elements than the route allows; nothing was sent for any."""

    code = "too_many_items"


class MergeFailed(UpstreamFailed):
    """The answers do not fit together as the route demands (`missing: fail`, `on_conflict: error`)."""

    code = "merge_failed"


class PassedStatus(GatewayError):
    """A call failed with a status that the route passes on (`pass_status`)."""

    code = "upstream_status"
    source: Source = "upstream"

    def __init__(self, status: int) -> None:
        super().__init__(f"the upstream answered with status {status}")
        self.status = status


def reason(status: int) -> str:
    """The standard phrase of a status code, or a plain one for a code without."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def to_problem(error: GatewayError, *, route: str | None, request_id: str) -> dict[str, Any]:
    """The problem document of an error (RFC 9457 §3.1), as a JSON object in reading order."""
    problem: dict[str, Any] = {"type": "about:blank", "title": reason(error.status), "status": error.status}
    if error.detail:
        problem["detail"] = error.detail if error.call is None else f"call {error.call!r}: {error.detail}"
    if route is not None:
        problem["route"] = route
    if error.call is not None:
        problem["call"] = error.call
    problem["code"] = error.code
    if isinstance(error, ValidationFailed):
        problem["errors"] = error.errors
    problem["request_id"] = request_id
    return problem

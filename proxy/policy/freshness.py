"""Which answers a shared cache may store, how old they are, and who may still have them (RFC 9111 §3, §4).

Decides; stores nothing and reads no clock. Moments are seconds since 1970, so that several machines agree on them.
"""

from collections.abc import Collection
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum

from msgspec import Struct

from proxy.message import Headers
from proxy.policy.directives import LONGEST, Asked, Directives, parse_asked, parse_cache_control, seconds_of

NOTHING_ASKED = Asked()
SERVER_ERRORS = frozenset({500, 502, 503, 504})
"""The statuses that a stale answer may stand in for (RFC 5861 §4)."""

# What a lifetime that the operator chose is for. An error is kept only if it says itself for how long.
_BY_DEFAULT = frozenset({200, 203, 204, 300, 301, 308})
# A part, and the answer to a question that nobody but us has asked.
_NEVER = frozenset({206, 304})


class Terms(Struct, frozen=True, kw_only=True):
    """On what terms an answer is stored, in seconds: `age_s` is what it had when it came (§4.2.3).

    `strict`: it is never served stale (§4.2.4). The stale windows begin where freshness ends.
    """

    age_s: float
    fresh_s: float
    strict: bool = False
    stale_while_revalidate_s: float = 0.0
    stale_if_error_s: float = 0.0

    @property
    def lives_s(self) -> float:
        """For how long after it came it may be of use without being asked for anew."""
        return max(0.0, self.fresh_s - self.age_s) + max(self.stale_while_revalidate_s, self.stale_if_error_s)


class Wishes(Struct, frozen=True, kw_only=True):
    """What the operator says of a route's answers; None leaves it to the answers themselves.

    `ttl_s` is for answers that state no lifetime, and at most. `credentials` are request headers (lower case) that
    whoever answers gets to see, and that do not part one stored answer from another.
    """

    ttl_s: float | None = None
    stale_while_revalidate_s: float | None = None
    stale_if_error_s: float | None = None
    credentials: frozenset[str] = frozenset({"authorization", "cookie"})


class Use(Enum):
    """What a stored answer is good for at a moment."""

    FRESH = "fresh"
    WHILE_REVALIDATING = "while revalidating"
    """Stale, but may be served while a new one is asked for."""
    STALE = "stale"
    """To be asked for anew before it is served."""


def terms_of(
    status: int, headers: Headers, request: Headers, wishes: Wishes, *, asked_at: float, came_at: float
) -> Terms | None:
    """On what terms a shared cache may store the answer to a GET; None if not at all (§3)."""
    if status < 200 or status >= 500 or status in _NEVER:
        return None
    control = control_of(headers)
    if control.no_store or control.private or "Set-Cookie" in headers or "*" in vary_of(headers):
        return None
    shared = control.public or control.s_maxage is not None
    # §3.5: an answer to an authenticated request only when the origin says so. Forgetting this line leaks one user's
    # page to another.
    if "authorization" in wishes.credentials and "Authorization" in request and not control.authorized:
        return None
    stated = _stated_lifetime(headers, control, came_at)
    if stated is None:
        if wishes.ttl_s is None or status not in _BY_DEFAULT:
            return None
        # Whoever wrote the answer has not thought of caches, and a cookie may have made it one user's own.
        if "cookie" in wishes.credentials and "Cookie" in request and not shared:
            return None
    age_s = _initial_age(headers, asked_at, came_at)
    # The operator's time begins here, whatever the answer has been through or a clock says.
    ttl_s = None if wishes.ttl_s is None else wishes.ttl_s + age_s
    fresh_s = min(bound for bound in (stated, ttl_s, float(LONGEST)) if bound is not None)
    strict = control.must_revalidate or control.no_cache or control.s_maxage is not None
    terms = Terms(
        age_s=age_s,
        fresh_s=0.0 if control.no_cache else fresh_s,
        strict=strict,
        stale_while_revalidate_s=_window(wishes.stale_while_revalidate_s, control.stale_while_revalidate, strict),
        stale_if_error_s=_window(wishes.stale_if_error_s, control.stale_if_error, strict),
    )
    return terms if terms.lives_s > 0 or has_validator(headers) else None


def judge(terms: Terms, came_at: float, now: float, asked: Asked = NOTHING_ASKED) -> Use:
    """What a stored answer is good for (§4.2), to a client that asks so (§5.2.1)."""
    age = age_at(terms, came_at, now)
    if asked.no_cache or (asked.max_age is not None and age > asked.max_age):
        return Use.STALE
    left = terms.fresh_s - age
    if left > asked.min_fresh:
        return Use.FRESH
    return Use.WHILE_REVALIDATING if -left < terms.stale_while_revalidate_s and left <= 0 else Use.STALE


def serves_errors(terms: Terms, came_at: float, now: float) -> bool:
    """Whether a stale answer may stand in for an error (RFC 5861 §4)."""
    return age_at(terms, came_at, now) - terms.fresh_s < terms.stale_if_error_s


def age_at(terms: Terms, came_at: float, now: float) -> float:
    """The current age (§4.2.3); a clock that was set back makes nothing younger than it was."""
    return terms.age_s + max(0.0, now - came_at)


def asked_by(request: Headers) -> Asked:
    """What a request asks of caches; `Pragma: no-cache` where it has no Cache-Control (§5.4)."""
    if "Cache-Control" in request:
        return parse_asked(", ".join(request.getall("Cache-Control")))
    if "Pragma" in request and "no-cache" in request["Pragma"].lower():
        return Asked(no_cache=True)
    return NOTHING_ASKED


def control_of(headers: Headers) -> Directives:
    """The Cache-Control of an answer."""
    return parse_cache_control(", ".join(headers.getall("Cache-Control", ())))


def vary_of(headers: Headers) -> tuple[str, ...]:
    """The fields that Vary names, in lower case, sorted and once each."""
    if "Vary" not in headers:
        return ()
    names = {part.strip().lower() for value in headers.getall("Vary") for part in value.split(",")}
    return tuple(sorted(names - {""}))


def has_validator(headers: Headers) -> bool:
    """Whether an answer can be asked for conditionally (§4.3.1)."""
    return "ETag" in headers or "Last-Modified" in headers


def not_modified_since(request: Headers, headers: Headers) -> bool:
    """Whether `If-Modified-Since` says that the client has an answer already (RFC 9110 §13.1.3)."""
    since, modified = request.get("If-Modified-Since"), headers.get("Last-Modified")
    if since is None or modified is None or "If-None-Match" in request:
        return False
    asked, stands = parse_date(since), parse_date(modified)
    return asked is not None and stands is not None and stands <= asked


def parse_date(text: str) -> float | None:
    """A moment as HTTP writes it (RFC 9110 §5.6.7); None for what is none."""
    try:
        parsed = parsedate_to_datetime(text)
        return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def freshened(stored: Collection[tuple[str, str]], update: Headers) -> list[tuple[str, str]]:
    """The fields of a stored answer after a 304 (§3.2): its own, but for those that the 304 has. Its age is over."""
    replaced = {name.lower() for name in update} - _OF_THE_BODY
    kept = [(name, value) for name, value in stored if name.lower() not in replaced and name.lower() != "age"]
    return kept + [(name, value) for name, value in update.items() if name.lower() in replaced]


# What describes the stored bytes stays as it is: a 304 has none.
_OF_THE_BODY = frozenset({"content-length", "content-encoding", "content-type", "content-range"})


def _stated_lifetime(headers: Headers, control: Directives, came_at: float) -> float | None:
    """What an answer says of its own lifetime (§4.2.1); None if nothing. Nothing is guessed (§4.2.2)."""
    if control.s_maxage is not None:
        return float(control.s_maxage)
    if control.max_age is not None:
        return float(control.max_age)
    if "Expires" not in headers:
        return None
    fields = headers.getall("Expires")
    expires = parse_date(fields[0]) if len(fields) == 1 else None
    if expires is None:
        return 0.0  # §5.3: what is no date, above all "0", is in the past
    return max(0.0, expires - _date_of(headers, came_at))


def _initial_age(headers: Headers, asked_at: float, came_at: float) -> float:
    """`corrected_initial_age` of §4.2.3."""
    given = headers.get("Age", "").partition(",")[0].strip()
    apparent = max(0.0, came_at - _date_of(headers, came_at))
    return max(apparent, seconds_of(given) + max(0.0, came_at - asked_at))


def _date_of(headers: Headers, came_at: float) -> float:
    date = parse_date(headers["Date"]) if "Date" in headers else None
    return came_at if date is None else date


def _window(wished: float | None, stated: int | None, strict: bool) -> float:
    if strict:
        return 0.0
    return float(stated or 0) if wished is None else wished

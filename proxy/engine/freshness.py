"""How long a composite may be kept: the minimum of what its calls' answers allow (RFC 9111 §5.2). Pure.

A restriction needs one answer to say it, a permission needs all of them. So a lifetime and `public` are written only
where every answer states its own, while `no-store`, `private` and `no-cache` hold even beside one that says nothing.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from proxy.message import Headers
from proxy.policy.directives import Directives, parse_cache_control, seconds_of


def lifetime(headers: Headers, at_most_s: float) -> float:
    """For how many seconds an answer may be kept here, 0 for not at all.

    It is for every client who sends the same, so what is private is not kept; what an answer says of its own lifetime
    can only shorten `at_most_s` (RFC 9111 §5.2.2).
    """
    stated = _stated(headers)
    if stated is None:
        return at_most_s
    if stated.no_store or stated.private or stated.no_cache:
        return 0.0
    own = stated.max_age if stated.s_maxage is None else stated.s_maxage
    return at_most_s if own is None else min(at_most_s, float(own))


def combine(answers: Iterable[Headers], *, complete: bool = True, private: bool = False) -> str | None:
    """The `Cache-Control` of an answer made of these, None to write none.

    `complete` is false where something took part whose freshness no header tells, such as the answer to a POST.
    `private`: what was made of the answers is for one client, whatever they say.
    """
    stated = [_stated(headers) for headers in answers]
    given = [one for one in stated if one is not None]
    if any(one.no_store for one in given):
        return "no-store"
    complete = complete and bool(given) and len(given) == len(stated)
    private = any(one.private for one in given) or (private and bool(given))
    words: list[str] = []
    if private:
        words.append("private")
    elif complete and all(one.public for one in given):
        words.append("public")
    if any(one.no_cache for one in given):
        words.append("no-cache")
    if complete:
        words += _lifetimes(given, private)
        if any(one.must_revalidate for one in given):
            words.append("must-revalidate")
    return ", ".join(words) or None


def _lifetimes(given: list[Directives], private: bool) -> list[str]:
    ages = [one.max_age for one in given if one.max_age is not None]
    shared = [one.s_maxage for one in given if one.s_maxage is not None]
    in_all = len(shared) == len(given)
    words = []
    if len(ages) == len(given):
        # An s-maxage that not all give cannot be written, but must not be outlived in a shared cache either.
        words.append(f"max-age={min(ages) if in_all or private else min([*ages, *shared])}")
    if in_all and not private:
        words.append(f"s-maxage={min(shared)}")
    return words


def _stated(headers: Headers) -> Directives | None:
    """What an answer says from now on: the time that it has spent in caches is over (RFC 9111 §4.2.3)."""
    text = ", ".join(headers.getall("Cache-Control", ()))
    if not text.strip(" \t,"):
        return None
    directives = parse_cache_control(text)
    age = headers.get("Age")
    if age is None or not (age := age.partition(",")[0].strip()).isdigit() or not age.isascii():
        return directives  # an Age that is no number is ignored (§5.1)
    spent = seconds_of(age)
    return replace(directives, max_age=_aged(directives.max_age, spent), s_maxage=_aged(directives.s_maxage, spent))


def _aged(seconds: int | None, age: int) -> int | None:
    return None if seconds is None else max(0, seconds - age)

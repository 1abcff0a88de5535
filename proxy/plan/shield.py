"""What a route refuses by its outside, and what its answers tell browsers: models → plans."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proxy.config.shield import Bots, Limits
from proxy.message import is_field_value, is_token
from proxy.plan.expressions import compile_re2
from proxy.problems import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BotsPlan:
    """`denies` tells of a User-Agent whether its client is refused."""

    denies: Callable[[str], bool] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPlan:
    """In bytes and numbers; None is whatever the server takes."""

    url: int | None = None
    headers: int | None = None
    header_count: int | None = None


def compile_bots(bots: Bots | None, place: Place) -> BotsPlan | None:
    """None where every client may ask."""
    if bots is None:
        return None
    deny = [compile_re2(one, place / "deny" / index, any_case=True) for index, one in enumerate(bots.deny)]
    allow = [compile_re2(one, place / "allow" / index, any_case=True) for index, one in enumerate(bots.allow)]
    if not bots.deny and bots.empty == "allow":
        place.problem("missing-key", "nobody is denied", "write deny: [curl, '^python-']", at_key=True)

    def denies(agent: str) -> bool:
        if not agent:
            return bots.empty == "deny"
        found = any([one.search(agent) for one in deny if one is not None])
        return found and not any([one.search(agent) for one in allow if one is not None])

    return BotsPlan(denies=denies)


def compile_limits(limits: Limits | None) -> LimitsPlan | None:
    """None where the server's own limits are enough."""
    if limits is None or not limits.model_fields_set:
        return None
    return LimitsPlan(url=limits.url, headers=limits.headers, header_count=limits.header_count)


# What browsers do with an answer that is data, not a page: nothing. Of pages, `proxy` routes know better.
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
_OF_DATA = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}


def compile_security_headers(
    said: bool | Mapping[str, str | None] | None, place: Place, *, pages: bool
) -> tuple[tuple[str, str], ...]:
    """What goes with every answer that does not say it itself. `pages`: the upstream may answer with pages."""
    if said is None or said is False:
        return ()
    fields = dict(_ALWAYS if pages else {**_ALWAYS, **_OF_DATA})
    for name, value in (said if isinstance(said, Mapping) else {}).items():
        here = place / name
        if not is_token(name):
            here.problem("bad-header", f"{name!r} is not a header name", at_key=True)
        for there in [one for one in fields if one.lower() == name.lower()]:
            del fields[there]
        if value is not None:
            if not is_field_value(value):
                here.problem("bad-header", f"the value of {name} cannot stand in a header")
            fields[name] = value
    return tuple(fields.items())

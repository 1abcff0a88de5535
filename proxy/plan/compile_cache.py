"""`cache` of a call → a `CachePlan`."""

from proxy.config.calls import Call
from proxy.document import encode_json
from proxy.expr.scope import Reference
from proxy.expr.urltemplate import UrlTemplate
from proxy.message import is_token
from proxy.plan.nodes import CachePlan
from proxy.problems import Place

SAFE = ("GET", "HEAD")
"""What may be answered once for several (RFC 9110 §9.2.1)."""

# What an answer becomes depends on these, beside the request itself.
_MEANING = {"decode", "lists", "select", "ok", "ok_if", "key", "many", "key_type", "max_body"}


def compile_cache(
    call: Call, method: str, target: UrlTemplate, when: tuple[Reference, ...], place: Place
) -> CachePlan | None:
    """How long and under what a call's answers are kept; None if they are not. `when` is what its condition reads."""
    cache, here = call.cache, place / "cache"
    if cache is None:
        return None
    if method not in SAFE:
        here.problem("conflicting-keys", f"the answer to a {method} cannot be kept", "leave cache out", at_key=True)
    if cache.ttl <= 0:
        (here / "ttl").problem("bad-duration", "nothing is kept for no time", "write ttl: 60s, or leave cache out")
    per_key = cache.per == "key"
    if per_key and call.batch is None:
        hint = "for_each keeps each answer by itself already: leave per out" if call.for_each else "leave per out"
        (here / "per").problem("conflicting-keys", "'per: key' has no meaning without 'batch'", hint)
    elif per_key and any(reference.root == "batch" for reference in target.reads):
        (here / "per").problem(
            "conflicting-keys", "with 'per: key' the path is the same for every batch", "send $.batch in the query"
        )
    if per_key and any(reference.root == "batch" for reference in when):
        what = "a condition on a batch has no meaning with 'per: key'"
        (place / "when").problem("conflicting-keys", what, "leave $.batch out of it")
    if per_key and cache.stale_if_error + cache.stale_while_revalidate > 0:
        name = "stale_if_error" if cache.stale_if_error else "stale_while_revalidate"
        (here / name).problem(
            "conflicting-keys", f"{name!r} has no meaning with 'per: key'", "leave it out", at_key=True
        )
    for index, name in enumerate(cache.vary):
        if not is_token(name):
            (here / "vary" / index).problem("bad-header", f"{name!r} is not a header name", "write accept-language")
    return CachePlan(
        ttl_s=cache.ttl,
        stale_while_revalidate_s=cache.stale_while_revalidate,
        stale_if_error_s=cache.stale_if_error,
        per_key=per_key,
        vary=frozenset(name.lower() for name in cache.vary),
        identity=encode_json(call.model_dump(include=_MEANING)).decode(),
    )

"""What a pass-through does → its plan."""

import re

from msgspec.structs import replace

from proxy.config.proxying import Cookies, Mirror, ProxyAction, Split
from proxy.expr.expression import Expression, compile_string, or_missing
from proxy.expr.scope import REQUEST_ROOTS, Vocabulary
from proxy.message import is_token
from proxy.plan.compile_actions import request_roots
from proxy.plan.compile_resilience import compile_retry, compile_timeouts
from proxy.plan.fields import compile_header_changes
from proxy.plan.paths import check_path, compile_path_rule
from proxy.plan.proxying import CookiePlan, MirrorPlan, ProxyPlan, SplitPlan, WebSocketPlan
from proxy.plan.varying import varying_headers
from proxy.problems import Invalid, Place, did_you_mean

_LARGEST_COPY = 1024 * 1024


def compile_proxy(
    action: ProxyAction, names: Vocabulary, upstreams: frozenset[str], place: Place, methods: list[str] | None = None
) -> ProxyPlan:
    """A pass-through to one upstream, or to one of several. `methods` are those of the route, None for all."""
    split = _compile_split(action.split, names, upstreams, place / "split") if action.split is not None else None
    if action.to is None and split is None:
        place.problem("missing-key", "'to' is missing", "write to: …")
    elif action.to is not None and split is not None:
        (place / "split").problem("conflicting-keys", "split stands instead of to", "leave out one", at_key=True)
    elif action.to is not None:
        _check_upstream(action.to, upstreams, place / "to")
    request, request_reads = compile_header_changes(action.headers.request, names, place / "headers" / "request")
    response, response_reads = compile_header_changes(action.headers.response, names, place / "headers" / "response")
    rule = compile_path_rule(action.path, place / "path")
    return ProxyPlan(
        upstream=action.to or (split.weights[0][0] if split is not None else ""),
        split=split,
        rewrite=rule.rewrite,
        restore=rule.restore,
        redirects=action.redirects == "rewrite",
        cookies=_compile_cookies(action.cookies, place / "cookies") if action.cookies is not None else None,
        request_headers=request,
        response_headers=response,
        roots=request_roots([*request_reads, *response_reads]),
        vary=varying_headers([*request_reads, *response_reads]),
        private=any(reference.root == "client" for reference in response_reads),
        mirror=_compile_mirror(action.mirror, upstreams, place / "mirror") if action.mirror is not None else None,
        websocket=_compile_websocket(action, methods, place / "websocket"),
        retry=compile_retry(action.retry, place / "retry"),
        timeouts=compile_timeouts(action.timeouts),
    )


def _check_upstream(name: str, upstreams: frozenset[str], place: Place, *, at_key: bool = False) -> None:
    if name not in upstreams:
        hint = did_you_mean(name, upstreams) or "declare it under upstreams"
        place.problem("unknown-upstream", f"there is no upstream {name!r}", hint, at_key=at_key)


def _compile_split(split: Split, names: Vocabulary, upstreams: frozenset[str], place: Place) -> SplitPlan:
    for name in split.to:
        _check_upstream(name, upstreams, place / "to" / name, at_key=True)
    if not any(split.to.values()):
        (place / "to").problem("bad-weight", "no upstream has a weight above 0", "write users: 1", at_key=True)
    override = split.override
    if override is not None:
        here = place / "override"
        if not is_token(override.header):
            (here / "header").problem("bad-header", f"{override.header!r} is not a header name")
        for value, name in override.values.items():
            if name not in split.to:
                hint = did_you_mean(name, list(split.to)) or f"write it under split.to, perhaps as {name}: 0"
                (here / "values" / value).problem("unknown-upstream", f"{name!r} is not one of the variants", hint)
    sticky = _compile_sticky(split.sticky, names, place / "sticky") if split.sticky is not None else None
    return SplitPlan(
        weights=tuple(split.to.items()),
        sticky=or_missing(sticky.evaluate) if sticky is not None else None,
        roots=request_roots(sticky.reads) if sticky is not None else frozenset(),
        header=override.header if override is not None else "",
        overrides=override.values if override is not None else {},
    )


def _compile_sticky(text: str, names: Vocabulary, place: Place) -> Expression | None:
    """What decides who gets the same variant. It cannot be in the body, which may be streamed."""
    try:
        expression = compile_string(text, replace(names, request=REQUEST_ROOTS - {"body"}))
    except Invalid as error:
        place.invalid(error)
        return None
    if expression.plural:
        place.problem("plural-path", "one value is needed here, not a list", "select one with an index")
    elif expression.constant:
        place.problem("bad-expression", f"{text!r} is the same for all requests", "write $.cookies.sid or $.client.ip")
    return expression


def _compile_mirror(mirror: Mirror, upstreams: frozenset[str], place: Place) -> MirrorPlan:
    _check_upstream(mirror.to, upstreams, place / "to")
    if mirror.max_body > _LARGEST_COPY:
        (place / "max_body").problem("bad-size", "copies of requests are kept in memory", "write 1MiB or less")
    return MirrorPlan(upstream=mirror.to, share=mirror.share, timeout_s=mirror.timeout, max_body=mirror.max_body)


def _compile_websocket(action: ProxyAction, methods: list[str] | None, place: Place) -> WebSocketPlan | None:
    if action.websocket is None:
        return None
    if methods and "GET" not in methods:
        place.problem(
            "bad-websocket", "a WebSocket begins with GET, which this route does not take", "add GET to match"
        )
    return WebSocketPlan(idle_s=action.websocket.idle_timeout, drain_s=action.websocket.drain)


def _compile_cookies(cookies: Cookies, place: Place) -> CookiePlan:
    paths, domains = cookies.path, cookies.domain
    if isinstance(paths, dict):
        for old, new in paths.items():
            check_path(old, place / "path" / old, at_key=True)
            check_path(new, place / "path" / old)
    if isinstance(domains, dict):
        for old, other in domains.items():
            _check_domain(old, place / "domain" / old, at_key=True)
            if other is not None:
                _check_domain(other, place / "domain" / old, at_key=False)
    longest_first = sorted(paths.items(), key=lambda pair: -len(pair[0])) if isinstance(paths, dict) else ()
    return CookiePlan(
        restore_paths=paths == "rewrite",
        paths=tuple((old.rstrip("/"), new.rstrip("/")) for old, new in longest_first),
        remove_domain=domains == "remove",
        domains=tuple((_plain(old), new) for old, new in domains.items()) if isinstance(domains, dict) else (),
        secure=cookies.secure,
        http_only=cookies.http_only,
        same_site=cookies.same_site.capitalize() if cookies.same_site is not None else None,
    )


_DOMAIN = re.compile(r"\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


def _check_domain(name: str, place: Place, *, at_key: bool) -> None:
    if not _DOMAIN.fullmatch(name):
        place.problem("bad-host", f"{name!r} is not a domain", "write example.com", at_key=at_key)


def _plain(domain: str) -> str:
    """A domain as it is compared (RFC 6265 §5.2.3): in lower case, without the dot that older servers write."""
    return domain.lower().removeprefix(".")

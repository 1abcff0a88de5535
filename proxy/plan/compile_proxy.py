"""What a pass-through does → its plan."""

import re

from proxy.config.model import Cookies, Mirror, ProxyAction
from proxy.expr.scope import Vocabulary
from proxy.plan.compile_actions import request_roots
from proxy.plan.fields import compile_header_changes
from proxy.plan.nodes import CookiePlan, MirrorPlan, ProxyPlan, WebSocketPlan
from proxy.plan.paths import check_path, compile_path_rule
from proxy.problems import Place, did_you_mean

_LARGEST_COPY = 1024 * 1024


def compile_proxy(
    action: ProxyAction, names: Vocabulary, upstreams: frozenset[str], place: Place, methods: list[str] | None = None
) -> ProxyPlan:
    """A pass-through to one upstream. `methods` are those of the route, None for all."""
    _check_upstream(action.to, upstreams, place / "to")
    request, request_reads = compile_header_changes(action.headers.request, names, place / "headers" / "request")
    response, response_reads = compile_header_changes(action.headers.response, names, place / "headers" / "response")
    rule = compile_path_rule(action.path, place / "path")
    return ProxyPlan(
        upstream=action.to,
        rewrite=rule.rewrite,
        restore=rule.restore,
        redirects=action.redirects == "rewrite",
        cookies=_compile_cookies(action.cookies, place / "cookies") if action.cookies is not None else None,
        request_headers=request,
        response_headers=response,
        roots=request_roots([*request_reads, *response_reads]),
        mirror=_compile_mirror(action.mirror, upstreams, place / "mirror") if action.mirror is not None else None,
        websocket=_compile_websocket(action, methods, place / "websocket"),
    )


def _check_upstream(name: str, upstreams: frozenset[str], place: Place) -> None:
    if name not in upstreams:
        hint = did_you_mean(name, upstreams) or "declare it under upstreams"
        place.problem("unknown-upstream", f"there is no upstream {name!r}", hint)


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

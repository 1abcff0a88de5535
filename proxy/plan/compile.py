"""The compiler: a checked model becomes a plan, or a list of problems.

Every route is compiled even if another one has problems, so that one run reports them all.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from proxy.config.model import Config, Route
from proxy.config.proxying import ProxyAction
from proxy.config.server import Server
from proxy.config.upstreams import Tls, Upstream
from proxy.expr.scope import Vocabulary
from proxy.message import is_token
from proxy.plan.auth import ProviderPlan
from proxy.plan.compile_actions import compile_composite, compile_redirect, compile_reply
from proxy.plan.compile_auth import check_claims_known, compile_allow, compile_auth, compile_providers
from proxy.plan.compile_balance import compile_balance, compile_hashes, with_hash_keys
from proxy.plan.compile_cors import compile_cors
from proxy.plan.compile_identity import compile_identity
from proxy.plan.compile_oidc import login_routes
from proxy.plan.compile_pages import compile_pages
from proxy.plan.compile_proxy import compile_proxy
from proxy.plan.compile_ratelimit import check_limit_store, compile_concurrency, compile_rate_limits
from proxy.plan.compile_resilience import check_deadline_header, compile_breaker
from proxy.plan.compile_route_cache import check_store, compile_route_cache
from proxy.plan.compile_tls import compile_server_tls
from proxy.plan.compile_validate import compile_validate
from proxy.plan.identity_headers import identity_headers
from proxy.plan.ip import compile_ip
from proxy.plan.nodes import Action, PagePlan, Plan, RoutePlan, ServerPlan
from proxy.plan.pattern import Param, parse_pattern
from proxy.plan.proxying import ProxyPlan
from proxy.plan.routing import MatchRule, Router, conflicts
from proxy.plan.shield import compile_bots, compile_limits, compile_security_headers
from proxy.plan.upstreams import Endpoint, TlsPlan, UpstreamPlan
from proxy.problems import Invalid, Place, did_you_mean

DEFAULT_TIMEOUT_S = 30.0


@dataclass(slots=True)
class _Compiled:
    rule: MatchRule
    route: RoutePlan
    place: Place


def compile_plan(
    config: Config, routes: Sequence[tuple[int, Route]], place: Place, env: Mapping[str, str]
) -> Plan | None:
    """Compile a configuration whose valid routes are given with their places in the file.

    Reports into `place`; returns None if anything was wrong.
    """
    before = len(place.found)
    upstreams = {
        name: plan
        for name, upstream in config.upstreams.items()
        if (plan := compile_upstream(name, upstream, place / "upstreams" / name)) is not None
    }
    known = frozenset(config.upstreams)
    constants: tuple[tuple[str, Any], ...] = (("env", dict(env)),)
    upstreams = compile_hashes(upstreams, routes, constants, place / "upstreams")
    everywhere = place / "defaults" / "route" / "error_pages"
    pages = compile_pages(config.defaults.route.error_pages, Vocabulary(constants=constants), everywhere)
    providers = compile_providers(config.auth, known, place / "auth")
    compiled = [
        one
        for index, route in routes
        if (one := _compile_route(route, config, known, constants, pages, providers, place / "routes" / index))
        is not None
    ]
    own = login_routes(providers.values(), config.server.max_body, place / "auth")
    compiled += [_Compiled(rule, plan, here) for rule, plan, here in own]
    _check_names(routes, place / "routes")
    _check_networks(config.server, place / "server" / "trusted_proxies")
    check_store(config.server, place / "server" / "cache_store")
    check_limit_store(config.server, place / "server" / "limit_store")
    _check_conflicts(compiled)
    for one in compiled:
        one.route = with_hash_keys(one.route, upstreams)
    if any(problem.severity == "error" for problem in place.found[before:]):
        return None
    routes_plan = tuple(one.route for one in compiled)
    return Plan(
        identity_headers=identity_headers(routes_plan, config.server.identity_headers),
        server=_server_plan(config.server, place / "server"),
        upstreams=upstreams,
        routes=routes_plan,
        router=Router([(one.rule, one.route) for one in compiled]),
    )


def _server_plan(server: Server, place: Place) -> ServerPlan:
    return ServerPlan(
        max_target=server.max_target,
        max_body=server.max_body,
        drain_s=server.drain,
        body_s=server.body_timeout,
        trusted_proxies=tuple(server.trusted_proxies),
        compress=server.compress,
        cache_bytes=server.cache_size,
        cache_store=None if server.cache_store == "memory" else server.cache_store,
        cache_timeout_s=server.cache_timeout,
        proxy_protocol=server.proxy_protocol,
        limit_store=None if server.limit_store == "memory" else server.limit_store,
        limit_timeout_s=server.limit_timeout,
        send_s=server.send_timeout,
        tls=compile_server_tls(server.tls, place / "tls"),
        shed_lag_s=server.shedding.lag,
        shed_wait_s=server.shedding.wait,
        shed_after_s=server.shedding.after,
        id=server.id,
        forwarded=server.forwarded,
        max_passes=server.max_passes,
        header_s=server.header_timeout,
        drain_delay_s=server.drain_delay or 0.0,
        drain_idle_s=server.drain_idle,
        max_connections=server.max_connections,
        max_connections_per_client=server.max_connections_per_client,
    )


def compile_upstream(name: str, upstream: Upstream, place: Place) -> UpstreamPlan | None:
    """The endpoints and limits of one upstream; None after reporting a problem."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        place.problem("bad-name", f"{name!r} cannot be an upstream's name", "use letters, digits, - and _", at_key=True)
    endpoints, dns = _compile_endpoints(upstream, place)
    for index, header in enumerate(upstream.forward_headers):
        if not is_token(header):
            (place / "forward_headers" / index).problem("bad-header", f"{header!r} is not a header name")
    if len(endpoints) != len(upstream.urls) or not (endpoints or dns):
        return None
    return UpstreamPlan(
        name=name,
        endpoints=tuple(endpoints),
        host=upstream.host,
        forward_headers=tuple(header.lower() for header in upstream.forward_headers),
        max_connections=upstream.max_connections,
        connect_s=upstream.timeouts.connect,
        pool_s=upstream.timeouts.pool,
        first_byte_s=upstream.timeouts.first_byte,
        idle_s=upstream.timeouts.idle,
        keepalive_s=upstream.keepalive.idle,
        lifetime_s=upstream.keepalive.lifetime,
        dns=dns,
        srv=upstream.srv is not None,
        max_pending=upstream.max_pending,
        **compile_balance(upstream, place),
        breaker=compile_breaker(upstream.breaker),
        retry_budget=upstream.retry_budget,
        identity=compile_identity(upstream, [*endpoints, *([dns] if dns else [])], place),
        deadline_header=check_deadline_header(upstream.deadline_header, place),
        tls=_compile_tls(upstream.tls, [*endpoints, *([dns] if dns else [])], place / "tls")
        if upstream.tls is not None
        else None,
    )


def _compile_endpoints(upstream: Upstream, place: Place) -> tuple[list[Endpoint], Endpoint | None]:
    """The endpoints of `urls`, without those that are wrong, or what `dns` says."""
    endpoints, dns = [], None
    for index, one in enumerate(upstream.urls):
        try:
            endpoints.append(parse_endpoint(one.url))
        except Invalid as error:
            (place / "urls" / index).invalid(error)
    for key, name in (("dns", upstream.dns), ("srv", upstream.srv)):
        if name is None:
            continue
        if upstream.urls or dns is not None:
            (place / key).problem("conflicting-keys", f"{key} stands instead of the others", "leave one", at_key=True)
        try:
            dns = parse_endpoint(name)
        except Invalid as error:
            (place / key).invalid(error)
    if upstream.srv is not None and find_spec("dns") is None:
        (place / "srv").problem(
            "missing-extra", "SRV records need a package that is not installed", "pip install 'proxy-composer[srv]'"
        )
    if not upstream.urls and upstream.dns is None and upstream.srv is None:
        place.problem("missing-key", "the upstream has no address", "write urls: [http://host:port]", at_key=True)
    return endpoints, dns


def _compile_tls(tls: Tls, endpoints: list[Endpoint], place: Place) -> TlsPlan:
    """What the model says; whether the files can be used is found out by who may read them."""
    if all(endpoint.scheme != "https" for endpoint in endpoints):
        place.problem("bad-tls", "none of the urls is https", "write https://… or remove tls", at_key=True)
    if tls.key is not None and tls.cert is None:
        (place / "key").problem("bad-tls", "a key without its certificate", "add cert: …", at_key=True)
    if not tls.verify:
        (place / "verify").warning("tls-not-verified", "anyone who answers is taken for this upstream")
    return TlsPlan(ca=tls.ca, cert=tls.cert, key=tls.key, server_name=tls.server_name, verify=tls.verify)


def parse_endpoint(url: str) -> Endpoint:
    """An upstream's address from its URL. Raises `Invalid`, without repeating credentials that may stand in it."""
    hint = "write http://host:port or https://host"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("bad-url", "this is not the URL of an upstream", hint) from None
    if parts.scheme not in ("http", "https"):
        raise Invalid("bad-url", f"an upstream's URL starts with http:// or https://, not {parts.scheme!r}", hint)
    if parts.username is not None or parts.password is not None:
        raise Invalid(
            "bad-url", "an upstream's URL holds no credentials", "send them as a header: headers: {Authorization: …}"
        )
    if "@" in url:
        raise Invalid("bad-url", "this is not the URL of an upstream", hint)  # whatever stands before it is not shown
    if not parts.hostname or port == 0 or parts.query or parts.fragment or re.search(r"[\s$\\%]", parts.netloc):
        raise Invalid("bad-url", f"{url!r} is not the URL of an upstream", hint)
    base_path = parts.path.rstrip("/")
    if re.search(r"[\x00-\x20\x7f-\uffff$]|(?:^|/)\.{1,2}(?:/|$)|//", base_path):
        raise Invalid("bad-url", f"{url!r} has a path that cannot be sent", hint)
    return Endpoint(parts.scheme, parts.hostname, port or {"http": 80, "https": 443}[parts.scheme], base_path)


def _compile_route(
    route: Route,
    config: Config,
    upstreams: frozenset[str],
    constants: tuple[tuple[str, Any], ...],
    default_pages: Mapping[int, PagePlan],
    providers: Mapping[str, ProviderPlan],
    place: Place,
) -> _Compiled | None:
    rule = _compile_match(route, place / "match")
    params = frozenset(part.name for part in rule.pattern.segments if isinstance(part, Param)) if rule else frozenset()
    names = Vocabulary(params=params, constants=constants)
    action = _compile_action(route, config, names, upstreams, place)
    pages = default_pages
    if "error_pages" in route.model_fields_set:
        pages = compile_pages(route.error_pages, names, place / "error_pages")
    rate_limits = compile_rate_limits(route.rate_limit, route.name, names, place / "rate_limit")
    concurrency = compile_concurrency(route.concurrency, route.name, names, place / "concurrency")
    cache = compile_route_cache(route, action, config, names, place)
    auth = compile_auth(route, config, providers, place / "auth")
    check_claims_known(route, action, place)
    _check_tests(route, place / "tests")
    if rule is None or action is None:
        return None
    defaults = config.defaults.route
    timeout = route.timeout if route.timeout is not None else defaults.timeout
    max_body = route.max_body if route.max_body is not None else defaults.max_body
    plan = RoutePlan(
        name=route.name,
        methods=tuple(sorted(rule.methods)) if rule.methods is not None else (),
        pattern=route.match.path,
        host=route.match.host,
        action=action,
        timeout_s=DEFAULT_TIMEOUT_S if timeout is None else timeout,
        max_body=config.server.max_body if max_body is None else max_body,
        tests=tuple(route.tests),
        summary=route.summary,
        error_pages=pages,
        cache=cache,
        rate_limits=rate_limits,
        concurrency=concurrency,
        ip=compile_ip(_own_or_default(route, config, "ip"), place / "ip"),
        auth=auth,
        cors=compile_cors(_own_or_default(route, config, "cors"), auth, place / "cors"),
        validate=compile_validate(route.validate_, place / "validate"),
        bots=compile_bots(_own_or_default(route, config, "bots"), place / "bots"),
        limits=compile_limits(_own_or_default(route, config, "limits")),
        security_headers=compile_security_headers(
            _own_or_default(route, config, "security_headers"),
            place / "security_headers",
            pages=isinstance(action, ProxyPlan),
        ),
        allow=compile_allow(route, names, place / "allow"),
        span=place.span(),
    )
    return _Compiled(rule, plan, place)


def _own_or_default(route: Route, config: Config, key: str) -> Any:
    """What a route says, be it null, or what all routes have."""
    return getattr(route if key in route.model_fields_set else config.defaults.route, key)


def _compile_match(route: Route, place: Place) -> MatchRule | None:
    match = route.match
    methods = _compile_methods(match.methods, place)
    try:
        pattern = parse_pattern(match.path)
    except Invalid as error:
        (place / "path").invalid(error)
        return None
    if match.host is not None and not re.fullmatch(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", match.host):
        (place / "host").problem(
            "bad-host", f"{match.host!r} is not a host name", "write example.com or *.example.com, without a port"
        )
    return MatchRule(
        methods=methods,
        pattern=pattern,
        host=match.host.lower() if match.host else None,
        headers=tuple(sorted((name.lower(), value) for name, value in match.headers.items())),
        query=tuple(sorted(match.query.items())),
    )


def _compile_methods(methods: list[str] | None, place: Place) -> frozenset[str] | None:
    if methods is None:
        return None
    for index, method in enumerate(methods):
        where = place / "methods" / index
        if not is_token(method):
            where.problem("bad-method", f"{method!r} is not a method", "write GET or GET,POST")
        elif method != method.upper():
            where.problem("bad-method", f"{method!r} is not a method", f"did you mean {method.upper()!r}?")
        elif method == "CONNECT":
            where.problem("bad-method", "CONNECT makes tunnels, which this gateway does not")
    if not methods:
        (place / "methods").problem("bad-method", "no method is listed", "leave methods out to take them all")
    return frozenset(methods)


def _compile_action(
    route: Route, config: Config, names: Vocabulary, upstreams: frozenset[str], place: Place
) -> Action | None:
    actions = route.actions
    if len(actions) != 1:
        if "merge" in route.model_fields_set and not actions:
            place.problem("missing-key", f"route {route.name!r} has a merge but no calls", "write calls: {…}")
        elif actions:
            (place / actions[1]).problem(
                "conflicting-keys",
                f"route {route.name!r} has {' and '.join(actions)}",
                "a route does one thing: split it",
                at_key=True,
            )
        else:
            place.problem(
                "no-action", f"route {route.name!r} does nothing", "write calls and merge, proxy, reply or redirect"
            )
        return None
    if getattr(route, actions[0]) is None:
        (place / actions[0]).problem(
            "missing-key", f"{actions[0]!r} has no value", f"write what route {route.name!r} does", at_key=True
        )
        return None
    if actions[0] in ("reply", "redirect") and "error_pages" in route.model_fields_set:
        (place / "error_pages").problem(
            "conflicting-keys", f"'error_pages' has no meaning beside {actions[0]!r}", "leave it out", at_key=True
        )
    if actions != ["calls"]:
        for key in ("merge", "respond", "errors", "omit_missing", "max_calls"):
            if key in route.model_fields_set:
                (place / key).problem(
                    "conflicting-keys",
                    f"{key!r} has no meaning beside {actions[0]!r}",
                    "it belongs to calls",
                    at_key=True,
                )
    if route.proxy is not None:
        return compile_proxy(route.proxy, names, upstreams, place / "proxy", route.match.methods)
    if route.reply is not None:
        return compile_reply(route.reply, names, place / "reply")
    if route.redirect is not None:
        return compile_redirect(route.redirect, names, place / "redirect")
    return compile_composite(route, config, names, upstreams, place)


def _check_tests(route: Route, place: Place) -> None:
    """Stubs and counts name calls (or, of a pass-through, its upstream)."""
    known = list(route.calls or (_variants(route.proxy) if route.proxy is not None else ()))
    for index, test in enumerate(route.tests):
        if test.request.claims is not None and route.auth is None:
            (place / index / "request" / "claims").problem(
                "claims-without-auth", f"anybody may ask route {route.name!r}", "leave claims out", at_key=True
            )
        for part, names in (("stubs", test.stubs), ("expect", test.expect.calls)):
            for name in names:
                if name not in known:
                    here = place / index / part / name if part == "stubs" else place / index / part / "calls" / name
                    hint = did_you_mean(name, known) or f"there is {', '.join(known) or 'none'}"
                    here.problem("unknown-call", f"{name!r} is not a call of route {route.name!r}", hint, at_key=True)


def _variants(proxy: ProxyAction) -> list[str]:
    return list(proxy.split.to) if proxy.split is not None else [proxy.to or ""]


def _check_networks(server: Server, place: Place) -> None:
    if server.proxy_protocol and not server.trusted_proxies:
        place.problem("missing-key", "with proxy_protocol only trusted_proxies may come", "write trusted_proxies: […]")
    for index, address in enumerate(server.trusted_proxies):
        try:
            ip_network(address, strict=False)
        except ValueError:
            (place / index).problem(
                "bad-address", f"{address!r} is not an address or network", "write 10.0.0.0/8 or ::1"
            )


def _check_names(routes: Sequence[tuple[int, Route]], place: Place) -> None:
    first: dict[str, int] = {}
    for index, route in routes:
        if (other := first.setdefault(route.name, index)) != index:
            span = (place / other / "name").span()
            (place / index / "name").problem(
                "duplicate-name", f"route name {route.name!r} is taken at {span.file}:{span.line}", "names are unique"
            )


def _check_conflicts(compiled: list[_Compiled]) -> None:
    for conflict in conflicts([(one.rule, one.route) for one in compiled]):
        here, there = compiled[conflict.j], compiled[conflict.i]
        span = (there.place / "match").span()
        what = f"route {there.route.name!r} ({span.file}:{span.line})"
        (here.place / "match").problem(
            "ambiguous-route",
            f"route {here.route.name!r} matches the same requests as {what}",
            "make one more specific, or remove it",
        )

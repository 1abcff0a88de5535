"""What a route does: composite, pass-through, reply or redirect → its plan."""

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from msgspec.structs import replace

from proxy.config.model import Config, ProxyAction, Redirect, Reply, Route
from proxy.expr.jsonpath import Name, parse_path
from proxy.expr.needs import Use, need_of, uses
from proxy.expr.scope import Reference, Scope, Vocabulary
from proxy.expr.urltemplate import compile_url_template
from proxy.merge.operators import OPERATORS
from proxy.merge.shape import Shaper
from proxy.plan.compile_calls import compile_calls
from proxy.plan.fields import compile_header_changes, compile_headers, optional
from proxy.plan.lint import lint_calls, with_samples
from proxy.plan.nodes import CallPlan, CompositePlan, ProxyPlan, RedirectPlan, ReplyPlan
from proxy.plan.varying import media_type_of, varying_headers
from proxy.problems import Invalid, Place, did_you_mean

DEFAULT_MAX_ITEMS = 1000


def compile_composite(
    route: Route, config: Config, names: Vocabulary, upstreams: frozenset[str], place: Place
) -> CompositePlan:
    """`calls` and `merge`. Without `merge`, an object with each call's result under its name."""
    before = len(place.found)
    written = route.calls or {}
    names = Vocabulary(frozenset(written), names.params, names.local, names.constants)
    if len(written) > route.max_calls:
        (place / "calls").problem(
            "too-many-calls",
            f"{len(written)} calls are more than max_calls allows ({route.max_calls})",
            "raise max_calls",
            at_key=True,
        )
    names = with_samples(written, names, place / "calls")
    max_items = route.max_items or config.defaults.route.max_items or DEFAULT_MAX_ITEMS
    calls, graph, reads, keys = compile_calls(
        written, config.defaults.call, names, upstreams, max_items, place / "calls"
    )
    shaper = Shaper(names, OPERATORS, omit_missing=route.omit_missing, collections=keys)
    if "merge" in route.model_fields_set:
        merge = shaper.compile(route.merge, place / "merge")
    else:
        merge = shaper.compile({name: f"$.{name}" for name in written if _is_name(name)}, place)
    headers, header_reads = compile_headers(route.respond.headers, names, place / "respond" / "headers")
    errors = route.errors if "errors" in route.model_fields_set else (config.defaults.route.errors or route.errors)
    merged = merge.uses if errors.field is None else merge.used_as("open")
    calls = with_needs(calls, (*merged, *uses([*reads, *header_reads])))
    reads += [*merge.reads, *header_reads]
    # An expression that is wrong reads nothing, so its calls would be blamed too.
    if not any(problem.severity == "error" for problem in place.found[before:]):
        lint_calls(written, calls, reads, max_items, place / "calls")
    compress = route.respond.compress
    vary = varying_headers(reads)
    typed = ("Content-Type", "application/json")
    return CompositePlan(
        calls=calls,
        graph=graph,
        merge=merge.evaluate,
        status=route.respond.status,
        headers=optional(headers),
        errors_field=errors.field,
        errors_header=errors.header,
        roots=request_roots(reads),
        reads_calls=any(reference.root == "calls" for reference in reads),
        media_type=media_type_of(route.respond.headers),
        vary=vary,
        plain_headers=(typed, ("Vary", ", ".join(vary))) if vary else (typed,),
        private=any(reference.root == "client" for reference in reads),
        etag=route.respond.etag,
        compress=config.server.compress if compress is None else compress,
    )


def with_needs(calls: tuple[CallPlan, ...], found: Iterable[Use]) -> tuple[CallPlan, ...]:
    """The calls, each with what is needed of its answer: all of it, if it is keyed, fanned out or under a condition."""
    by_call: dict[str, list[Use]] = {call.name: [] for call in calls}
    for use in found:
        if use.root in by_call:
            by_call[use.root].append(use)
    return tuple(
        call
        if call.fan is not None or call.keyed is not None or call.ok_if is not None or call.decode != "json"
        else replace(call, need=need_of(_before_select(call, by_call[call.name])))
        for call in calls
    )


def _before_select(call: CallPlan, found: list[Use]) -> list[Use]:
    """The uses of a call's value as uses of its whole answer."""
    if not call.select_text or call.select is None:
        return found
    outer = Use(call.name, parse_path(call.select_text).steps, "move")
    if not all(isinstance(step, Name) for step in outer.steps):
        return [Use(call.name, (), "read")]
    return [Use(call.name, (*outer.steps, *use.steps), use.mode, use.keys) for use in found or [outer]]


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) is not None


def request_roots(reads: Iterable[Reference]) -> frozenset[str]:
    """The parts of the request that expressions read, so that no other part is made."""
    return frozenset(reference.root for reference in reads if reference.call is None)


def compile_proxy(action: ProxyAction, names: Vocabulary, upstreams: frozenset[str], place: Place) -> ProxyPlan:
    """A pass-through to one upstream."""
    if action.to not in upstreams:
        (place / "to").problem(
            "unknown-upstream",
            f"there is no upstream {action.to!r}",
            did_you_mean(action.to, upstreams) or "declare it under upstreams",
        )
    request, request_reads = compile_header_changes(action.headers.request, names, place / "headers" / "request")
    response, response_reads = compile_header_changes(action.headers.response, names, place / "headers" / "response")
    return ProxyPlan(
        upstream=action.to,
        rewrite=_compile_rewrite(action, place / "path"),
        request_headers=request,
        response_headers=response,
        roots=request_roots([*request_reads, *response_reads]),
        vary=varying_headers([*request_reads, *response_reads]),
        private=any(reference.root == "client" for reference in response_reads),
    )


def _compile_rewrite(action: ProxyAction, place: Place) -> Callable[[str], str]:
    rule = action.path
    for key in ("strip_prefix", "add_prefix", "replace"):
        value = getattr(rule, key)
        if value is not None and (not value.startswith("/") or re.search(r"[\x00-\x20?#\x7f-\uffff]", value)):
            (place / key).problem("bad-url", f"{value!r} is not a path", "write /prefix, percent-encoded")
    if rule.replace is not None:
        if rule.strip_prefix or rule.add_prefix:
            (place / "replace").problem(
                "conflicting-keys", "replace stands alone", "leave out the prefixes", at_key=True
            )
        replacement = rule.replace
        return lambda path: replacement
    strip = (rule.strip_prefix or "").rstrip("/")
    add = (rule.add_prefix or "").rstrip("/")
    if not strip and not add:
        return lambda path: path

    def rewrite(path: str) -> str:
        # Only a whole-segment prefix is one: /api does not begin /apiary.
        if strip and (path == strip or path.startswith(strip + "/")):
            path = path[len(strip) :] or "/"
        return add + path

    return rewrite


def compile_reply(reply: Reply, names: Vocabulary, place: Place) -> ReplyPlan:
    """A fixed or computed answer."""
    headers, reads = compile_headers(reply.headers, names, place / "headers")
    body = None
    if "body" in reply.model_fields_set:
        shape = Shaper(names, OPERATORS).compile(reply.body, place / "body")
        body = shape.evaluate
        reads = [*reads, *shape.reads]
    is_text = isinstance(reply.body, str) and not reply.body.startswith("$.")
    return ReplyPlan(
        status=reply.status, headers=optional(headers), body=body, is_text=is_text, roots=request_roots(reads)
    )


_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")


def compile_redirect(redirect: Redirect, names: Vocabulary, place: Place) -> RedirectPlan:
    """A redirect to a path of this gateway, or to an absolute URL whose host is written out."""
    prefix, path = "", redirect.to
    if not redirect.to.startswith("/") or redirect.to.startswith("//"):
        parts = urlsplit(redirect.to)
        prefix = f"{parts.scheme}://{parts.netloc}"
        path = redirect.to[len(prefix) :] or "/"
        if parts.scheme not in ("http", "https") or not _AUTHORITY.fullmatch(parts.netloc):
            # A host chosen by a value would be an open redirect (CWE-601).
            (place / "to").problem(
                "bad-redirect", f"{redirect.to!r} is not a place to go to", "write /path or https://host/path"
            )
            return RedirectPlan(status=redirect.status, location=lambda scope: "/", roots=frozenset())
    try:
        target = compile_url_template(path, names)
    except Invalid as error:
        (place / "to").invalid(error)
        return RedirectPlan(status=redirect.status, location=lambda scope: "/", roots=frozenset())
    render = target.render

    def location(scope: Scope) -> str:
        return prefix + render(scope)

    return RedirectPlan(status=redirect.status, location=location, roots=request_roots(target.reads))

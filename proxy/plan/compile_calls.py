"""Calls of a composite route: model → `CallPlan`s and the graph between them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from proxy.config.calls import METHOD_KEYS, Call
from proxy.config.model import CallDefaults
from proxy.errors import ExtractionFailed
from proxy.expr.cel import compile_cel
from proxy.expr.expression import warn_of_samples
from proxy.expr.jsonpath import parse_path
from proxy.expr.lower import Select, lower
from proxy.expr.scope import RESERVED_ROOTS, Evaluate, Reference, Scope, Vocabulary
from proxy.expr.urltemplate import UrlTemplate, compile_url_template
from proxy.merge.keys import Keyed
from proxy.merge.operators import OPERATORS
from proxy.merge.shape import Shaper, warn_of_constant
from proxy.plan.compile_cache import SAFE, compile_cache
from proxy.plan.compile_fan import compile_fan, compile_keys
from proxy.plan.compile_resilience import compile_hedge, compile_retry
from proxy.plan.field import Field
from proxy.plan.fields import NO_FIELDS, compile_headers, compile_query, encode_fields, header_values, statuses
from proxy.plan.graph import Edge, Graph
from proxy.plan.nodes import CallPlan
from proxy.problems import Invalid, Place, did_you_mean

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_ANSWER = Vocabulary(local=frozenset({"status", "headers", "body"}), request=frozenset())
DEFAULT_MAX_BODY = 8 * 1024 * 1024


@dataclass(slots=True)
class _Draft:
    """A call while it is compiled: its plan's parts, and what it reads."""

    name: str
    call: Call
    place: Place
    reads: list[Reference]
    fallback_reads: tuple[Reference, ...] = ()


def compile_calls(
    calls: Mapping[str, Call],
    defaults: CallDefaults,
    names: Vocabulary,
    upstreams: frozenset[str],
    max_items: int,
    place: Place,
) -> tuple[tuple[CallPlan, ...], Graph, list[Reference], dict[str, Keyed]]:
    """Compile all calls of a route. Problems go to `place`; the plans are only to be used if there were none."""
    keys = compile_keys(calls, place)
    compiler = _Compiler(defaults, upstreams, max_items, keys)
    drafts: list[tuple[_Draft, dict[str, Any]]] = []
    for name, call in calls.items():
        here = place / name
        _check_name(name, here)
        _check_after(call, calls, here)
        drafts.append(compiler.compile(name, call, names, here))
    graph = Graph(tuple(calls), tuple(edge for draft, _ in drafts for edge in _edges(draft, calls)))
    if cycle := graph.cycle():
        chain = " → ".join([cycle[0].source, *(edge.target for edge in cycle)])
        (place / cycle[0].target).problem(
            "call-cycle",
            f"calls wait for each other: {chain}",
            f"break it where {cycle[-1].expression!r} is read",
            at_key=True,
        )
    index = {name: at for at, name in enumerate(calls)}
    shared = _sharing(drafts)
    plans = tuple(
        CallPlan(
            name=draft.name,
            index=index[draft.name],
            shared=draft.name in shared,
            keyed=keys.get(draft.name),
            requires=tuple(index[source] for source in graph.sources(draft.name)),
            client_checks=_client_checks(parts) if graph.sources(draft.name) or parts["lazy"] else (),
            fallback_requires=tuple(index[source] for source in graph.sources(draft.name, fallback=True)),
            **parts,
        )
        for draft, parts in drafts
    )
    reads = [reference for draft, _ in drafts for reference in (*draft.reads, *draft.fallback_reads)]
    return plans, graph, reads, keys


def _check_name(name: str, place: Place) -> None:
    if not _NAME.fullmatch(name):
        place.problem("bad-name", f"{name!r} cannot be a call's name", "use letters, digits and _", at_key=True)
    elif name in RESERVED_ROOTS:
        place.problem(
            "reserved-name",
            f"a call cannot be named {name!r}: it means the request's",
            "choose another name",
            at_key=True,
        )


def _check_after(call: Call, calls: Mapping[str, Call], place: Place) -> None:
    for index, name in enumerate(call.after):
        if name not in calls:
            hint = did_you_mean(name, list(calls)) or "name a call of this route"
            (place / "after" / index).problem("unknown-call", f"there is no call {name!r} to come after", hint)


class _Compiler:
    """What all calls of a route are compiled with."""

    def __init__(
        self, defaults: CallDefaults, upstreams: frozenset[str], max_items: int, collections: Mapping[str, Keyed]
    ) -> None:
        self._defaults = defaults
        self._upstreams = upstreams
        self._max_items = max_items
        self._collections = collections

    def compile(self, name: str, call: Call, names: Vocabulary, place: Place) -> tuple[_Draft, dict[str, Any]]:
        """One call: its draft, and the parts of its plan that it says itself."""
        draft = _Draft(name, call, place, [])
        fan, names, fan_reads = compile_fan(call, names, self._max_items, place)
        draft.reads += fan_reads
        request = self._compile_request(draft, names)
        when, when_reads = _compile_when(call, names, place)
        draft.reads += when_reads
        written = call.model_fields_set
        shaper = Shaper(names, OPERATORS, strict=True, collections=self._collections)
        fallback = shaper.compile(call.fallback, place / "fallback") if "fallback" in written else None
        draft.fallback_reads = fallback.reads if fallback else ()
        defaults = self._defaults
        max_body = call.max_body if call.max_body is not None else defaults.max_body
        return draft, {
            **request,
            "decode": call.decode,
            "lists": _compile_lists(call, place),
            "select": _compile_select(call.select, place),
            "select_text": call.select or "",
            "when": when,
            "when_each": fan is not None and any(reference.root in ("each", "batch") for reference in when_reads),
            "retry": compile_retry(call.retry or defaults.retry, place / "retry"),
            "hedge_s": compile_hedge(call, request["method"], place / "hedge"),
            "ok": statuses(tuple(call.ok)),
            "ok_if": _compile_ok_if(call, place),
            "pass_status": statuses(tuple(call.pass_status if "pass_status" in written else defaults.pass_status)),
            "pass_body": call.pass_body,
            "fallback": fallback.evaluate if fallback else None,
            "timeout_s": call.timeout if call.timeout is not None else defaults.timeout,
            "max_body": DEFAULT_MAX_BODY if max_body is None else max_body,
            "lazy": call.lazy,
            "fan": fan,
            "cache": compile_cache(call, request["method"], request["target"], when_reads, place),
            "coalesce": _compile_coalesce(call, request["method"], place),
            "set_cookie": call.set_cookie,
        }

    def _compile_request(self, draft: _Draft, names: Vocabulary) -> dict[str, Any]:
        call, place = draft.call, draft.place
        method, upstream, target = _compile_target(draft, names, self._upstreams)
        # Most calls have few of their parts, and a large file has many calls: what is not written costs nothing.
        query, query_reads = compile_query(call.query, names, place / "query") if call.query else NO_FIELDS
        headers, header_reads = compile_headers(call.headers, names, place / "headers") if call.headers else NO_FIELDS
        form, form_reads = (None, []) if call.form is None else compile_query(call.form, names, place / "form")
        draft.reads += [*query_reads, *header_reads, *form_reads]
        body = None
        if "body" in call.model_fields_set:
            shaper = Shaper(names, OPERATORS, strict=True, collections=self._collections)
            shape = shaper.compile(call.body, place / "body")
            draft.reads.extend(shape.reads)
            body = shape.evaluate
            if form is not None:
                (place / "form").problem("conflicting-keys", "a call has either a body or a form", at_key=True)
        return {
            "upstream": upstream,
            "method": method,
            "target": target,
            "query": query,
            "headers": headers,
            "form": form,
            "body": body,
        }


_NO_TARGET = UrlTemplate("", lambda scope: "/", ())


def _compile_target(draft: _Draft, names: Vocabulary, upstreams: frozenset[str]) -> tuple[str, str, UrlTemplate]:
    keys = draft.call.methods
    if len(keys) != 1:
        what = f"both {' and '.join(keys)}" if keys else "no request"
        key_place = draft.place / keys[1] if keys else draft.place
        key_place.problem(
            "bad-call", f"call {draft.name!r} has {what}", f"write one of {', '.join(METHOD_KEYS)}", at_key=True
        )
        return "GET", "", _NO_TARGET
    place = draft.place / keys[0]
    text = getattr(draft.call, keys[0])
    upstream, colon, path = text.partition(":")
    if not colon or path.startswith("//"):
        hint = "declare it under upstreams and write name:/path" if path.startswith("//") else "write upstream:/path"
        place.problem("bad-target", f"{text!r} does not name an upstream", hint)
        return keys[0].upper(), "", _NO_TARGET
    if upstream not in upstreams:
        hint = did_you_mean(upstream, upstreams) or "declare it under upstreams"
        place.problem("unknown-upstream", f"there is no upstream {upstream!r}", hint)
    try:
        target = compile_url_template(path, names)
    except Invalid as error:
        place.invalid(error)
        return keys[0].upper(), upstream, _NO_TARGET
    draft.reads.extend(target.reads)
    warn_of_samples(target.reads, names, place)
    return keys[0].upper(), upstream, target


def _compile_coalesce(call: Call, method: str, place: Place) -> bool:
    if call.coalesce and method not in SAFE:
        (place / "coalesce").problem(
            "conflicting-keys", f"a {method} is made for each request: it may change something", "leave coalesce out"
        )
    return call.cache is not None if call.coalesce is None else call.coalesce


def _compile_lists(call: Call, place: Place) -> frozenset[str]:
    if call.decode == "xml" and find_spec("defusedxml") is None:
        (place / "decode").problem(
            "missing-extra", "reading XML needs a package that is not installed", "pip install 'proxy-composer[xml]'"
        )
    if call.lists and call.decode != "xml":
        (place / "lists").problem(
            "conflicting-keys", "'lists' has no meaning without 'decode: xml'", "leave it out", at_key=True
        )
    return frozenset(call.lists)


def _compile_select(text: str | None, place: Place) -> Select | None:
    if text is None:
        return None
    try:
        return lower(parse_path(text))
    except Invalid as error:
        (place / "select").invalid(error)
        return None


def _compile_when(call: Call, names: Vocabulary, place: Place) -> tuple[Evaluate | None, tuple[Reference, ...]]:
    if call.when is None:
        return None, ()
    try:
        expression = compile_cel(call.when, names)
    except Invalid as error:
        (place / "when").invalid(error)
        return None, ()
    warn_of_constant(expression, place / "when")
    return expression.evaluate, expression.reads


def _compile_ok_if(call: Call, place: Place) -> Evaluate | None:
    if call.ok_if is None:
        return None
    try:
        return compile_cel(call.ok_if, _OWN_ANSWER).evaluate
    except Invalid as error:
        (place / "ok_if").invalid(error)
        return None


def _edges(draft: _Draft, known: Mapping[str, Call]) -> list[Edge]:
    edges = [Edge(ref.call, draft.name, ref.text) for ref in draft.reads if ref.call is not None]
    edges += [
        Edge(ref.call, draft.name, ref.text, fallback=True) for ref in draft.fallback_reads if ref.call is not None
    ]
    edges += [Edge(name, draft.name, "after") for name in draft.call.after if name in known]
    return list(dict.fromkeys(edges))


def _client_checks(parts: dict[str, Any]) -> tuple[Callable[[Scope], None], ...]:
    """For a call that waits: what would be refused when it is made is refused before anything is sent."""
    fields: tuple[Field, ...] = (*parts["query"], *(parts["form"] or ()))
    renderers: list[Callable[[Scope], object]] = [*parts["target"].client_parts]
    renderers += [_field_check(encode_fields, field) for field in fields if field.only_client]
    renderers += [_field_check(header_values, field) for field in parts["headers"] if field.only_client]
    return tuple(_check(render) for render in renderers)


def _field_check(render: Callable[[tuple[Field, ...], Scope], object], field: Field) -> Callable[[Scope], object]:
    return lambda scope: render((field,), scope)


def _check(render: Callable[[Scope], object]) -> Callable[[Scope], None]:
    def check(scope: Scope) -> None:
        try:
            render(scope)
        except ExtractionFailed:
            return  # missing or of the wrong kind: that is for the call to say, if it is made

    return check


def _sharing(drafts: list[tuple[_Draft, dict[str, Any]]]) -> set[str]:
    """The calls that could send the same GET as another of the route, or as themselves for another element."""
    gets = [(draft.name, parts) for draft, parts in drafts if parts["method"] == "GET"]
    shared = {name for name, parts in gets if parts["fan"] is not None and not parts["fan"].distinct}
    for at, (name, parts) in enumerate(gets):
        for other, others in gets[:at]:
            if parts["upstream"] == others["upstream"] and may_be_equal(parts["target"].text, others["target"].text):
                shared |= {name, other}
    return shared


_HOLE = re.compile(r"\$\{[^{}'\"]*\}")


def may_be_equal(one: str, other: str) -> bool:
    """Whether two templates of a path could come out the same. Sure of a no, never of a yes."""
    left, right = (_HOLE.sub("\0", text).partition("?")[0].split("/") for text in (one, other))
    if any("${" in text for text in (*left, *right)):
        return True
    if len(left) != len(right):
        return False
    return all(a == b or "\0" in a or "\0" in b for a, b in zip(left, right, strict=True))

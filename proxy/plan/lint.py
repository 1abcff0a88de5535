"""What works but is probably not meant: warnings of `check` about a composite route.

Each has a stable code: `unused-call`, `n-plus-one`, `fallback-shape`, `unused-element`; paths against samples
(`path-cannot-match`) and constant conditions (`constant-condition`) are reported where they are compiled.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from proxy.config.calls import Call
from proxy.expr.jsonpath import Index, Name, Slice, Wildcard, parse_path
from proxy.expr.known import (
    ANYTHING,
    Known,
    Mismatch,
    follow,
    known_from_sample,
    known_from_schema,
    warn_of_mismatch,
)
from proxy.expr.scope import Reference, Vocabulary
from proxy.plan.nodes import CallPlan
from proxy.problems import Invalid, Place

_READING = ("GET", "HEAD")


def with_samples(calls: Mapping[str, Call], names: Vocabulary, place: Place) -> Vocabulary:
    """The names with what samples and schemas tell of the calls' values."""
    samples = []
    for name, call in calls.items():
        written = call.model_fields_set
        if "sample" not in written and "schema_" not in written:
            continue
        known = known_from_sample(call.sample) if "sample" in written else known_from_schema(call.schema_)
        selected = _select(call, known, place / name / "select")
        if call.for_each is not None and not call.many:
            selected = Known(element=selected)
        samples.append((name, selected))
    return replace(names, samples=tuple(samples)) if samples else names


def _select(call: Call, known: Known, place: Place) -> Known:
    if call.select is None:
        return known
    try:
        path = parse_path(call.select)
    except Invalid:
        return ANYTHING  # reported where it is compiled
    found = follow(known, path.steps)
    if isinstance(found, Mismatch):
        warn_of_mismatch(call.select, found, place)
        return ANYTHING
    return Known(element=found) if path.plural else found


def lint_calls(
    calls: Mapping[str, Call],
    plans: Sequence[CallPlan],
    reads: Sequence[Reference],
    max_items: int,
    place: Place,
) -> None:
    """Warn of calls that nobody reads, that could be one instead of many, and of fallbacks that do not fit."""
    used = {reference.call for reference in reads if reference.call is not None}
    used |= {name for call in calls.values() for name in call.after}
    for plan in plans:
        here = place / plan.name
        if plan.name not in used and plan.method in _READING:
            here.warning(
                "unused-call",
                f"nothing reads call {plan.name!r}",
                "remove it, or read it in merge",
                at_key=True,
            )
        if plan.fan is not None:
            _lint_fan(plan, calls[plan.name], max_items, here)
        if "fallback" in calls[plan.name].model_fields_set:
            _lint_fallback(plan, calls[plan.name], reads, here / "fallback")


def _lint_fan(plan: CallPlan, call: Call, max_items: int, place: Place) -> None:
    assert plan.fan is not None
    local = "each" if plan.fan.size is None else "batch"
    if not _mentions(call, local):
        (place / ("for_each" if local == "each" else "batch")).warning(
            "unused-element",
            f"call {plan.name!r} never reads $.{local}, so that all its requests are the same",
            f"use ${{{local}}} in its path, or $.{local} in its query or body",
            at_key=True,
        )
    elif local == "each" and plan.method in _READING:
        (place / "for_each").warning(
            "n-plus-one",
            f"call {plan.name!r} makes a request for each element, up to {max_items}",
            f"if the upstream takes several at once: batch: {{from: {plan.fan.source_text}}} with key: and $.batch",
            at_key=True,
        )


def _mentions(call: Call, local: str) -> bool:
    """Whether any part of the request names the loop's element."""
    parts: list[Any] = [call.query, call.headers, call.body, call.form, *(getattr(call, key) for key in call.methods)]
    return any(local in text for part in parts for text in _texts(part))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


_KINDS = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}


def _lint_fallback(plan: CallPlan, call: Call, reads: Sequence[Reference], place: Place) -> None:
    """A literal fallback of another kind than the paths expect that read the call."""
    value = call.fallback
    if value is None or plan.fan is not None or isinstance(value, str):
        return
    if isinstance(value, Mapping) and any(str(key).startswith("$") for key in value):
        return
    for reference in reads:
        if reference.call != plan.name or reference.root != plan.name or not reference.text.startswith("$."):
            continue
        steps = parse_path(reference.text).steps[1:]
        expected = _expected(steps[0]) if steps else None
        if expected is not None and not isinstance(value, expected):
            place.warning(
                "fallback-shape",
                f"{reference.text!r} expects {_KINDS[expected]} of call {plan.name!r}, "
                f"and its fallback is {_KINDS[type(value)]}",
                f"write {'{}' if expected is dict else '[]'}, or null",
            )
            return


def _expected(step: object) -> type | None:
    match step:
        case Name():
            return dict
        case Index() | Slice() | Wildcard():
            return list
    return None

"""Fan-out of a call: `for_each` and `batch` → a `FanPlan`; `key`, `many`, `key_type` → how elements are found."""

from collections.abc import Mapping

from proxy.config.calls import Call
from proxy.expr.expression import Expression, compile_alternatives, from_client
from proxy.expr.jsonpath import parse_path
from proxy.expr.lower import lower
from proxy.expr.scope import Reference, Vocabulary
from proxy.merge.keys import Keyed
from proxy.plan.nodes import FanPlan
from proxy.problems import Invalid, Place

DEFAULT_CONCURRENCY = 8
_FAN_ONLY = ("concurrency", "distinct", "tolerate")


def compile_keys(calls: Mapping[str, Call], place: Place) -> dict[str, Keyed]:
    """The calls whose elements have keys: those with `key`, and every `for_each`, which asks by one."""
    return {
        name: keyed for name, call in calls.items() if (keyed := _compile_key(name, call, place / name)) is not None
    }


def _compile_key(name: str, call: Call, place: Place) -> Keyed | None:
    select = None
    if call.key is not None:
        try:
            path = parse_path(call.key if call.key.startswith("$") else f"$.{call.key}")
            if path.plural:
                raise Invalid("plural-path", f"{call.key!r} selects a list where one key is needed", "write key: $.id")
            select = lower(path)
        except Invalid as error:
            (place / "key").invalid(error)
    elif call.batch is not None:
        (place / "batch").problem(
            "batch-without-key",
            f"call {name!r} has a batch but no key: its answers are matched by key, never by position",
            "write key: $.id, the path in each element returned",
            at_key=True,
        )
    elif call.for_each is None:
        for option in ("many", "key_type"):
            if option in call.model_fields_set:
                (place / option).problem(
                    "conflicting-keys", f"{option!r} has no meaning without 'key'", "write key: $.id", at_key=True
                )
        return None
    return Keyed(select, call.many, call.key_type == "str")


def compile_fan(
    call: Call, names: Vocabulary, max_items: int, place: Place
) -> tuple[FanPlan | None, Vocabulary, tuple[Reference, ...]]:
    """The fan-out of a call (None without one), the names that are known inside it, and what its source reads."""
    if call.for_each is None and call.batch is None:
        for option in _FAN_ONLY:
            if option in call.model_fields_set:
                (place / option).problem(
                    "conflicting-keys",
                    f"{option!r} has no meaning without 'for_each' or 'batch'",
                    "leave it out",
                    at_key=True,
                )
        return None, names, ()
    if "fallback" in call.model_fields_set and call.tolerate is not None:
        (place / "tolerate").problem(
            "conflicting-keys",
            "'tolerate' has no meaning beside 'fallback': every element that fails takes the fallback",
            "keep one of them",
            at_key=True,
        )
    if call.for_each is not None and call.batch is not None:
        (place / "batch").problem("conflicting-keys", "a call has either for_each or batch", "keep one", at_key=True)
        names = names.with_local("each")
    if call.batch is not None:
        text, where, local = call.batch.source, place / "batch" / "from", "batch"
        if "distinct" in call.model_fields_set:
            (place / "distinct").problem(
                "conflicting-keys", "a batch asks for each value once", "leave distinct out", at_key=True
            )
    else:
        text, where, local = call.for_each or "", place / "for_each", "each"
    source = _compile_source(text, names, where)
    if source is None:
        return None, names.with_local(local), ()
    fan = FanPlan(
        source=source.evaluate,
        source_text=text,
        client=from_client(source.reads),
        size=call.batch.size if call.batch is not None else None,
        distinct=call.distinct,
        concurrency=call.concurrency,
        tolerate=call.tolerate or 0.0,
        max_items=max_items,
    )
    return fan, names.with_local(local, client=fan.client), source.reads


def _compile_source(text: str, names: Vocabulary, place: Place) -> Expression | None:
    try:
        if not text.startswith("$."):
            raise Invalid("bad-expression", f"a fan-out is over a path, not {text!r}", f"write $.{text}")
        return compile_alternatives(text, names)
    except Invalid as error:
        place.invalid(error)
        return None

"""From trees to a checked model: everything that can be said without knowing what an expression means.

Each upstream and each route is validated by itself, and what is wrong in one is cut out so that the rest of it can be
checked too: a user sees all problems in one run.
"""

import re
from collections.abc import Mapping as Plain
from collections.abc import Sequence as Plains
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from proxy.config.model import Config, Route
from proxy.config.tree import Mapping, Node, Scalar, Sequence, locate, to_plain
from proxy.config.upstreams import Upstream, Url
from proxy.problems import Path, Place, Problem, Span, did_you_mean

M = TypeVar("M", bound=BaseModel)
_IN_INCLUDES = frozenset({"version", "include", "upstreams", "auth", "routes"})
_NAMED = {"upstreams": "upstream", "auth": "provider"}


@dataclass(slots=True)
class Checked:
    """`config` has everything but the routes, which stand in `routes` with their index in the merged document."""

    config: Config
    routes: list[tuple[int, Route]]
    place: Place
    problems: list[Problem] = field(default_factory=list)


def merge_documents(root: Node, included: Plains[Node], problems: list[Problem]) -> Mapping | None:
    """One document of all files: upstreams, providers and routes of the included ones are added to the root's."""
    documents = [_as_mapping(node, problems) for node in (root, *included)]
    first = documents[0]
    if first is None:
        return None
    merged = Mapping(first.file, first.line, first.column, dict(first.entries), dict(first.keys))
    for document in documents[1:]:
        if document is not None:
            _add_document(merged, document, problems)
    return merged


def _as_mapping(node: Node, problems: list[Problem]) -> Mapping | None:
    if isinstance(node, Mapping):
        return node
    span = Span(node.file, node.line, node.column)
    problems.append(
        Problem(span=span, code="wrong-type", message="the file is not a mapping", hint="start with version: 1")
    )
    return None


def _add_document(merged: Mapping, document: Mapping, problems: list[Problem]) -> None:
    for key, node in document.entries.items():
        span = Span(document.file, *document.keys[key])
        if key not in _IN_INCLUDES:
            hint = did_you_mean(key, _IN_INCLUDES) if key not in Config.model_fields else "move it to the main file"
            problems.append(
                Problem(span=span, code="unknown-key", message=f"{key!r} cannot stand in an included file", hint=hint)
            )
        elif _is_null(node) and key in _SHAPES:
            continue
        elif key in _NAMED and isinstance(node, Mapping):
            if _extends(merged, key, Mapping):
                _add_named(merged, key, node, problems)
        elif key == "routes" and isinstance(node, Sequence):
            if _extends(merged, "routes", Sequence):
                existing = merged.entries.get("routes")
                items = existing.items if isinstance(existing, Sequence) else []
                merged.entries["routes"] = Sequence(node.file, node.line, node.column, [*items, *node.items])
                merged.keys.setdefault("routes", document.keys[key])
        elif key in _SHAPES:
            problems.append(Problem(span=span, code="wrong-type", message=f"{key} is {_SHAPES[key]}"))
        elif key == "version" and not (isinstance(node, Scalar) and node.value == 1):
            problems.append(Problem(span=span, code="wrong-type", message="the version is 1", hint="write version: 1"))
        elif key == "include" and not _is_include(node):
            message = "include is a file, a glob, or a list of them"
            problems.append(
                Problem(span=span, code="wrong-type", message=message, hint="write include: [conf.d/*.yaml]")
            )


_SHAPES = {"upstreams": "a mapping", "auth": "a mapping", "routes": "a list"}


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _extends(merged: Mapping, key: str, kind: type[Node]) -> bool:
    """Whether there is nothing yet or the right kind; what is of another kind stays, to be reported."""
    existing = merged.entries.get(key)
    return existing is None or _is_null(existing) or isinstance(existing, kind)


def _is_include(node: Node) -> bool:
    items = node.items if isinstance(node, Sequence) else [node]
    return all(isinstance(item, Scalar) and isinstance(item.value, str) for item in items)


def _add_named(merged: Mapping, kind: str, node: Mapping, problems: list[Problem]) -> None:
    existing = merged.entries.get(kind)
    entries, keys = (dict(existing.entries), dict(existing.keys)) if isinstance(existing, Mapping) else ({}, {})
    for name, inner in node.entries.items():
        if name in entries:
            first = entries[name]
            message = f"{_NAMED[kind]} {name!r} is declared twice"
            span = Span(node.file, *node.keys[name])
            problems.append(
                Problem(
                    span=span,
                    code="duplicate-name",
                    message=message,
                    hint=f"the first one is at {first.file}:{first.line}",
                )
            )
            continue
        entries[name], keys[name] = inner, node.keys[name]
    merged.entries[kind] = Mapping(node.file, node.line, node.column, entries, keys)
    merged.keys.setdefault(kind, (node.line, node.column))


def check_document(document: Mapping, file: str, found: list[Problem]) -> Checked | None:
    """Validate a merged document against the model. None if not even its outline holds."""

    def span_of(path: Path, at_key: bool) -> Span:
        return locate(document, path, at_key, file)

    place = Place(found, span_of)
    plain = to_plain(document)
    upstreams, routes = plain.pop("upstreams", None), plain.pop("routes", None)
    config = _validate(Config, plain, place)
    named = _check_upstreams(upstreams, place / "upstreams")
    checked = _check_routes(routes, place / "routes")
    if config is None:
        # Go on with the defaults: what the routes say can be checked all the same.
        config = Config(version=1)
    return Checked(config.model_copy(update={"upstreams": named}), checked, place, found)


def _check_upstreams(upstreams: Any, place: Place) -> dict[str, Upstream]:
    if upstreams is None:
        return {}
    if not isinstance(upstreams, dict):
        place.problem("wrong-type", "upstreams is a mapping", "write name: http://host:port")
        return {}
    named = {}
    for name, value in upstreams.items():
        # One that is wrong still exists, so that routes that name it are not blamed.
        named[name] = _validate(Upstream, value, place / name) or Upstream(urls=[Url(url="http://localhost")])
    return named


def _check_routes(routes: Any, place: Place) -> list[tuple[int, Route]]:
    if routes is None:
        return []
    if not isinstance(routes, list):
        place.problem("wrong-type", "routes is a list", "start each route with '- name:'")
        return []
    checked = []
    for index, value in enumerate(routes):
        if (route := _validate(Route, value, place / index)) is not None:
            checked.append((index, route))
    return checked


def _validate(model: type[M], value: Any, place: Place) -> M | None:
    """Validate; report every error; then try once more without what was wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for one in errors:
        _report(one, model, place)
    pruned = value
    for one in sorted(errors, key=lambda one: len(one["loc"]), reverse=True):
        pruned = _without(pruned, one["loc"])
    try:
        return model.model_validate(pruned)
    except ValidationError:
        return None


def _without(value: Any, path: tuple[int | str, ...]) -> Any:
    """A copy of a document without one of its parts."""
    if not path:
        return None
    key, rest = path[0], path[1:]
    if isinstance(value, dict) and key in value:
        if rest and isinstance(value[key], dict | list):
            return {**value, key: _without(value[key], rest)}
        return {name: inner for name, inner in value.items() if name != key}
    if isinstance(value, list) and isinstance(key, int) and key < len(value) and rest:
        return [*value[:key], _without(value[key], rest), *value[key + 1 :]]
    return value


def _report(error: Any, model: type[BaseModel], place: Place) -> None:
    here = place
    for key in error["loc"]:
        here = here / key
    kind, context = error["type"], error.get("ctx", {})
    name = error["loc"][-1] if error["loc"] else ""
    if kind == "config":
        here.problem(context["code"], context["message"], context["hint"])
    elif kind == "extra_forbidden":
        known = _known_keys(model, error["loc"][:-1])
        here.problem(
            "unknown-key", f"unknown key {name!r}", did_you_mean(str(name), known) or _listing(known), at_key=True
        )
    elif kind == "missing":
        owner = here if len(error["loc"]) == 0 else _parent(place, error["loc"])
        hint = _MISSING_HINTS.get(str(name)) if len(error["loc"]) == 1 else None
        owner.problem("missing-key", f"{name!r} is missing", hint or f"write {name}: …")
    else:
        message, hint = _plain_words(error)
        here.problem("wrong-type", message, hint)


_MISSING_HINTS = {
    "version": "write version: 1",
    "name": "every route has a unique name",
    "match": "write match: GET /path",
    "urls": 'write urls: ["http://host:port"]',
}


def _parent(place: Place, loc: tuple[int | str, ...]) -> Place:
    for key in loc[:-1]:
        place = place / key
    return place


def _listing(known: Plains[str]) -> str:
    return f"known here: {', '.join(known)}" if known else ""


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that the model takes at a path of an error."""
    current: Any = model
    for key in path:
        if isinstance(key, str):  # an index leads to an element of the same model
            current = _inner_model(current, key)
    fields: Plain[str, Any] = getattr(current, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def _inner_model(annotation: Any, key: str) -> Any:
    fields = getattr(annotation, "model_fields", None)
    if fields is not None:
        named = {field.alias or name: field for name, field in fields.items()}
        return _first_model(named[key].annotation) if key in named else None
    return _first_model(annotation)


def _first_model(annotation: Any) -> Any:
    """The model that an annotation such as `dict[str, Call] | None` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if getattr(annotation, "__origin__", None) is dict:
        return _Values(_first_model(arguments[1]))
    for argument in arguments:
        if (found := _first_model(argument)) is not None:
            return found
    return None


@dataclass(slots=True)
class _Values:
    """The values of a mapping: one more key leads to this model."""

    model: Any

    @property
    def __args__(self) -> tuple[Any, ...]:
        return (self.model,)


_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "float_type": "a number",
}


def _plain_words(error: Any) -> tuple[str, str]:
    kind, value = error["type"], error.get("input")
    shown = repr(value)[:80] if isinstance(value, str | int | float | bool | None) else f"a {_kind(value)}"
    if kind in _WORDS:
        hint = "quote it" if kind == "string_type" and isinstance(value, int | float | bool) else ""
        return f"{_WORDS[kind]} is needed here, not {shown}", hint
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
        return f"{shown} is not one of {expected}", did_you_mean(str(value), re.findall(r"'([^']+)'", expected))
    if kind == "too_short":
        return "at least one is needed here", ""
    if kind == "string_pattern_mismatch":
        return f"{shown} cannot be a name", "use letters, digits, - . and _, starting with a letter or digit"
    return f"{shown}: {error['msg'][:1].lower()}{error['msg'][1:]}", ""


def _kind(value: Any) -> str:
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else type(value).__name__

"""YAML text → nodes that know their places. Reads no file.

Built on PyYAML's events and not on its loader: the scalars follow the YAML 1.2 core schema (`no` is a string, `0777` is
777), duplicate keys are problems, depth and aliases are bounded, and every key and value keeps its line and column.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from proxy.problems import Path, Problem, Span

MAX_DEPTH = 100
MAX_ALIASED_NODES = 100_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(Struct):
    """A string, number, boolean or null; `plain`: written without quotes."""

    file: str
    line: int
    column: int
    value: Any
    plain: bool


class Sequence(Struct):
    file: str
    line: int
    column: int
    items: list["Node"]


class Mapping(Struct):
    """Keys in the order of the file; `keys` has the line and column of each."""

    file: str
    line: int
    column: int
    entries: dict[str, "Node"]
    keys: dict[str, tuple[int, int]]


Node = Scalar | Sequence | Mapping


def parse_tree(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The root node of one YAML document (None if empty or unreadable), and what is wrong with it."""
    builder = _Builder(file)
    try:
        return builder.build(_events(text)), builder.problems
    except _Refused:
        return None, builder.problems
    except yaml.YAMLError as error:
        builder.problems.append(_syntax_problem(error, text, file))
        return None, builder.problems


def _events(text: str) -> Iterator[Any]:
    """The parser's events; `yaml.parse` does the same with two calls for each."""
    loader = _LOADER(text)
    next_event = loader.get_event
    try:
        while (event := next_event()) is not None:
            yield event
    finally:
        loader.dispose()


def to_plain(node: Node | None) -> Any:
    """Dicts, lists and scalars without their places."""
    if isinstance(node, Mapping):
        return {key: to_plain(value) for key, value in node.entries.items()}
    if isinstance(node, Sequence):
        return [to_plain(item) for item in node.items]
    return None if node is None else node.value


def locate(root: Node | None, path: Path, at_key: bool, file: str) -> Span:
    """The place of a path of keys and indices; of what it leads through, where it goes beyond what is written."""
    if root is None:
        return Span(file, 1, 1)
    node = root
    span = Span(node.file, node.line, node.column)
    for depth, key in enumerate(path):
        if isinstance(node, Mapping) and key in node.entries:
            here = node.keys[str(key)]
            inner = node.entries[str(key)]
        elif isinstance(node, Sequence) and isinstance(key, int) and key < len(node.items):
            inner = node.items[key]
            here = (inner.line, inner.column)
        else:
            break
        file = node.file
        node = inner
        last = depth == len(path) - 1
        span = Span(file, *here) if last and at_key else Span(node.file, node.line, node.column)
    return span


class _Refused(Exception):
    """The document cannot be read on; the problem is noted."""


class _Builder:
    """Turns one document's events into nodes."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, Node | None] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._aliased = 0
        self.problems: list[Problem] = []

    def build(self, events: Iterator[Any]) -> Node | None:
        documents = 0
        root: Node | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(
                        event, "several-documents", "a file holds one document", "put the other into a file of its own"
                    )
            elif isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent | AliasEvent):
                root = self._node(event, events, 0)
        empty = isinstance(root, Scalar) and root.value is None and root.plain
        return None if empty else root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        kind = type(event)
        if kind is ScalarEvent:
            node: Node = self._scalar(event)
        elif kind is AliasEvent:
            return self._alias(event, depth)
        else:
            if depth >= MAX_DEPTH:
                self._refuse(event, "too-deep", f"nested more than {MAX_DEPTH} deep")
            if event.anchor:
                self._anchors[event.anchor] = None  # until it is complete: a reference to it would be endless
            node = (self._sequence if kind is SequenceStartEvent else self._mapping)(event, events, depth)
        if event.anchor:
            self._remember(event.anchor, node)
        return node

    def _remember(self, anchor: str, node: Node) -> None:
        self._anchors[anchor] = node
        self._sizes[anchor] = _measure(node)

    def _scalar(self, event: Any) -> Scalar:
        mark = event.start_mark
        plain = not event.style
        value = event.value
        if event.tag is not None:
            value = self._tagged(event)
        elif plain:
            value = resolve(value)
        return Scalar(self._file, mark.line + 1, mark.column + 1, value, plain)

    def _tagged(self, event: Any) -> Any:
        tag = event.tag.removeprefix("tag:yaml.org,2002:")
        if tag in ("str", "!"):
            return event.value
        value = resolve(event.value)
        if tag not in _TAGS or not isinstance(value, _TAGS[tag]):
            self._complain(event, "bad-tag", f"the tag {event.tag} does not fit or is not known here", "leave it out")
        return value

    def _sequence(self, event: Any, events: Iterator[Any], depth: int) -> Sequence:
        items: list[Node] = []
        for inner in events:
            if type(inner) is SequenceEndEvent:
                break
            items.append(self._node(inner, events, depth + 1))
        self._check_collection_tag(event, "seq")
        return Sequence(self._file, event.start_mark.line + 1, event.start_mark.column + 1, items)

    def _mapping(self, event: Any, events: Iterator[Any], depth: int) -> Mapping:
        entries: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        merged: list[Node] = []
        for inner in events:
            if type(inner) is MappingEndEvent:
                break
            key = self._key(inner, events, depth)
            value = self._node(next(events), events, depth + 1)
            if key == "<<" and not inner.style:
                merged.append(value)
                continue
            if key in entries:
                first = keys[key][0]
                self._complain(
                    inner, "duplicate-key", f"key {key!r} is there twice", f"the first one is in line {first}"
                )
                continue
            entries[key] = value
            keys[key] = (inner.start_mark.line + 1, inner.start_mark.column + 1)
        self._merge(event, merged, entries, keys)
        self._check_collection_tag(event, "map")
        return Mapping(self._file, event.start_mark.line + 1, event.start_mark.column + 1, entries, keys)

    def _key(self, event: Any, events: Iterator[Any], depth: int) -> str:
        if type(event) is ScalarEvent:
            if event.anchor:
                self._remember(event.anchor, self._scalar(event))
            return str(event.value)
        if type(event) is MappingStartEvent and event.flow_style:
            self._refuse(
                event, "bad-key", "a key is a plain word, not a mapping", "quote expressions inside { } and [ ]"
            )
        self._refuse(event, "bad-key", "a key is a plain word, not a list, mapping or alias")
        raise AssertionError

    def _merge(
        self, event: Any, merged: list[Node], entries: dict[str, Node], keys: dict[str, tuple[int, int]]
    ) -> None:
        """`<<: *defaults`: what is written here wins (YAML's merge key, as Compose files use it)."""
        sources = [item for node in merged for item in (node.items if isinstance(node, Sequence) else [node])]
        for source in sources:
            if not isinstance(source, Mapping):
                self._complain(event, "bad-merge", "<< takes a mapping or a list of mappings", "write <<: *name")
                continue
            for key, value in source.entries.items():
                if key not in entries:
                    entries[key] = value
                    keys[key] = source.keys[key]

    def _alias(self, event: Any, depth: int) -> Node:
        if event.anchor not in self._anchors:
            self._refuse(event, "unknown-anchor", f"nothing is anchored as &{event.anchor}")
        node = self._anchors[event.anchor]
        if node is None:
            self._refuse(event, "endless-alias", f"*{event.anchor} stands inside what it repeats")
            raise AssertionError
        nodes, levels = self._sizes[event.anchor]
        if depth + levels > MAX_DEPTH:
            self._refuse(event, "too-deep", f"nested more than {MAX_DEPTH} deep")
        self._aliased += nodes
        if self._aliased > MAX_ALIASED_NODES:
            self._refuse(event, "too-many-aliases", f"aliases repeat more than {MAX_ALIASED_NODES} nodes")
        return node

    def _check_collection_tag(self, event: Any, expected: str) -> None:
        if event.tag is not None and event.tag.removeprefix("tag:yaml.org,2002:") not in (expected, "!"):
            self._complain(event, "bad-tag", f"the tag {event.tag} does not fit or is not known here", "leave it out")

    def _complain(self, event: Any, code: str, message: str, hint: str = "") -> None:
        mark = event.start_mark
        span = Span(self._file, mark.line + 1, mark.column + 1)
        self.problems.append(Problem(span=span, code=code, message=message, hint=hint))

    def _refuse(self, event: Any, code: str, message: str, hint: str = "") -> None:
        self._complain(event, code, message, hint)
        raise _Refused


def _measure(node: Node) -> tuple[int, int]:
    """How many nodes an alias to this one repeats (shared ones count each time, as they would expand), how deep."""
    inner = node.entries.values() if isinstance(node, Mapping) else node.items if isinstance(node, Sequence) else ()
    measures = [_measure(one) for one in inner]
    levels = 0 if isinstance(node, Scalar) else 1 + max((depth for _, depth in measures), default=0)
    return 1 + sum(nodes for nodes, _ in measures), levels


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAY_BE_SPECIAL = frozenset("-+.0123456789~nNtTfF")
_TAGS: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


def resolve(text: str) -> Any:
    """The value of a plain scalar by the YAML 1.2 core schema (§10.3.2)."""
    if not text:
        return None
    if text[0] not in _MAY_BE_SPECIAL:
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text) if len(text) < 4000 else text
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0) if len(text) < 300 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else _place_of_character(error, text)
    lines = text.splitlines()
    source = lines[line - 1] if line <= len(lines) else ""
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return Problem(
        span=Span(file, line, column),
        code="bad-yaml",
        message=f"this is not YAML: {said}",
        hint=_syntax_hint(source, str(said)),
    )


def _place_of_character(error: yaml.YAMLError, text: str) -> tuple[int, int]:
    """The place of a character that no YAML may hold."""
    character = getattr(error, "character", None)
    at = text.find(character if isinstance(character, str) else chr(character)) if character is not None else -1
    before = text[: max(at, 0)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax_hint(source: str, said: str) -> str:
    if "\t" in source[: len(source) - len(source.lstrip())] or "'\\t'" in said:
        return "indent with spaces, not tabs"
    if re.search(r"[{\[].*(?:\$|\?\?|\[\*\])", source):
        return "quote expressions inside { } and [ ]"
    if "mapping values are not allowed" in said:
        return "quote text that holds a colon"
    return ""

"""Finds the route of a request, in time that does not grow with the number of routes.

A trie of segments: at each, a literal goes before an int or uuid, that before any segment, that before the rest of
the path; among routes with the same path, the more specific host wins, then more header and query conditions. The
order of the file never matters.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from msgspec import Struct, field

from proxy.errors import MethodNotAllowed, RouteNotFound
from proxy.plan.pattern import Literal, Param, Pattern
from proxy.target import decode_segment

T = TypeVar("T")
_INT = re.compile(r"-?[0-9]{1,19}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)


class MatchRule(Struct, frozen=True):
    """What a route matches. `methods` None is every method; header names are in lower case."""

    methods: frozenset[str] | None
    pattern: Pattern
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()

    @property
    def rank(self) -> tuple[int, int, int, bool]:
        """How specific it is besides its path. A route for every method steps back where another names it."""
        host = 0 if self.host is None else 1 if self.host.startswith("*.") else 2
        return host, len(self.host or ""), len(self.headers) + len(self.query), self.methods is not None


class Found(Struct, Generic[T], frozen=True):
    """The route of a request and the values of its path parameters."""

    value: T
    params: dict[str, Any]


class Options(Struct, frozen=True):
    """An OPTIONS request that no route asks for; `allow` is what the path takes."""

    allow: tuple[str, ...]


class _Leaf(Struct, Generic[T]):
    rule: MatchRule
    value: T
    names: tuple[str, ...]


class _Node(Struct, Generic[T]):
    literals: dict[str, "_Node[T]"] = field(default_factory=dict)
    ints: "_Node[T] | None" = None
    uuids: "_Node[T] | None" = None
    plain: "_Node[T] | None" = None
    rest: list[_Leaf[T]] = field(default_factory=list)
    leaves: list[_Leaf[T]] = field(default_factory=list)


class Router(Generic[T]):
    """Immutable once made."""

    def __init__(self, entries: Sequence[tuple[MatchRule, T]]) -> None:
        self._root: _Node[T] = _Node()
        for rule, value in entries:
            self._insert(rule, value)
        _sort(self._root)

    def _insert(self, rule: MatchRule, value: T) -> None:
        node = self._root
        names = tuple(part.name for part in rule.pattern.segments if isinstance(part, Param))
        leaf = _Leaf(rule, value, names)
        for segment in rule.pattern.segments:
            match segment:
                case Literal(text):
                    node = node.literals.setdefault(text, _Node())
                case Param(kind="int"):
                    node.ints = node.ints or _Node()
                    node = node.ints
                case Param(kind="uuid"):
                    node.uuids = node.uuids or _Node()
                    node = node.uuids
                case Param(kind="path"):
                    node.rest.append(leaf)
                    return
                case Param():
                    node.plain = node.plain or _Node()
                    node = node.plain
        node.leaves.append(leaf)

    def find(self, method: str, path: str, host: str, headers: Mapping[str, str], query: str) -> Found[T] | Options:
        """The most specific route. Raises `RouteNotFound`, or `MethodNotAllowed` with what the path takes."""
        segments = path[1:].split("/")
        only = _straight(self._root, segments)
        if only is not None:
            rule = only[0].rule
            plain = rule.host is None and not rule.headers and not rule.query
            if plain and (rule.methods is None or method in rule.methods):
                return _found(*only)
        allow: set[str] = set()
        gets: tuple[_Leaf[T], tuple[Any, ...]] | None = None  # serves HEAD unless a route as specific names it
        for leaf, values in _walk(self._root, segments, 0, ()):
            rule = leaf.rule
            if gets is not None and not _as_specific(rule, gets[0].rule):
                break
            if not _holds(rule, host, headers, query):
                continue
            if rule.methods is None or method in rule.methods:
                return _found(leaf, values)
            if method == "HEAD" and "GET" in rule.methods and gets is None:
                gets = leaf, values
            allow |= rule.methods
        if gets is not None:
            return _found(*gets)
        if not allow:
            raise RouteNotFound("no route matches this path")
        listed = tuple(sorted(allow | {"OPTIONS"} | ({"HEAD"} if "GET" in allow else set())))
        if method == "OPTIONS":
            return Options(listed)
        raise MethodNotAllowed(method, listed)


def _found(leaf: _Leaf[T], values: tuple[Any, ...]) -> Found[T]:
    return Found(leaf.value, dict(zip(leaf.names, values)))  # noqa: B905 – as many by how they were made


def _as_specific(one: MatchRule, other: MatchRule) -> bool:
    return one.rank == other.rank and _shape(one.pattern) == _shape(other.pattern)


def _sort(root: _Node[T]) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for leaves in (node.leaves, node.rest):
            if len(leaves) > 1:
                leaves.sort(key=lambda leaf: leaf.rule.rank, reverse=True)
        waiting += node.literals.values()
        waiting += [inner for inner in (node.ints, node.uuids, node.plain) if inner is not None]


def _straight(node: _Node[T], segments: list[str]) -> tuple[_Leaf[T], tuple[Any, ...]] | None:
    """The leaf of a path that can go only one way, as most can; None for those that need `_walk`."""
    values: list[Any] = []
    for segment in segments:
        literal = node.literals.get(segment)
        if node.rest or node.uuids is not None or (node.plain is not None and node.ints is not None):
            return None
        if node.ints is not None:
            if literal is not None or not _INT.fullmatch(segment):
                return None
            node = node.ints
            values.append(int(segment))
        elif node.plain is not None:
            if literal is not None or not segment:
                return None
            node = node.plain
            values.append(decode_segment(segment))
        elif literal is not None:
            node = literal
        else:
            return None
    return (node.leaves[0], tuple(values)) if len(node.leaves) == 1 else None


def _walk(
    node: _Node[T], segments: list[str], at: int, values: tuple[Any, ...]
) -> Iterator[tuple[_Leaf[T], tuple[Any, ...]]]:
    """The leaves that the path can reach, the most specific first."""
    if at == len(segments):
        for leaf in node.leaves:
            yield leaf, values
        return
    segment = segments[at]
    if (literal := node.literals.get(segment)) is not None:
        yield from _walk(literal, segments, at + 1, values)
    if node.ints is not None and _INT.fullmatch(segment):
        yield from _walk(node.ints, segments, at + 1, (*values, int(segment)))
    if node.uuids is not None and _UUID.fullmatch(segment):
        yield from _walk(node.uuids, segments, at + 1, (*values, segment.lower()))
    if node.plain is not None and segment:
        yield from _walk(node.plain, segments, at + 1, (*values, decode_segment(segment)))
    for leaf in node.rest:
        yield leaf, (*values, decode_segment("/".join(segments[at:])))


def _holds(rule: MatchRule, host: str, headers: Mapping[str, str], query: str) -> bool:
    if rule.host is not None and not host_matches(rule.host, host):
        return False
    if rule.headers and any(headers.get(name) != value for name, value in rule.headers):
        return False
    if not rule.query:
        return True
    # The first value of a name, as in expressions: with any of them, two routes could both be meant.
    first: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        first.setdefault(name, value)
    return all(first.get(name) == value for name, value in rule.query)


def host_matches(wanted: str, host: str) -> bool:
    """Whether a host is the wanted one, or below it for `*.example.com`."""
    if wanted.startswith("*."):
        return host.endswith(wanted[1:]) and len(host) > len(wanted) - 1
    return host == wanted


class Conflict(Struct, frozen=True):
    """Entries `i` and `j` (indices, i < j) match the same requests and are equally specific."""

    i: int
    j: int


def conflicts(entries: Sequence[tuple[MatchRule, object]]) -> list[Conflict]:
    """Pairs of routes that match the same requests and are equally specific.

    Only routes of the same shape can be: parameters at the same places, the same literals.
    """
    shapes: dict[tuple[Any, ...], list[int]] = {}
    for index, (rule, _) in enumerate(entries):
        shapes.setdefault((_shape(rule.pattern), rule.host), []).append(index)
    return [
        Conflict(i, j)
        for indices in shapes.values()
        for position, j in enumerate(indices)
        if (i := _first_conflict(entries, indices[:position], j)) is not None
    ]


def _first_conflict(entries: Sequence[tuple[MatchRule, object]], before: list[int], j: int) -> int | None:
    return next((i for i in before if _conflicting(entries[i][0], entries[j][0])), None)


def _shape(pattern: Pattern) -> tuple[object, ...]:
    return tuple(part.text if isinstance(part, Literal) else (part.kind,) for part in pattern.segments)


def _conflicting(one: MatchRule, other: MatchRule) -> bool:
    both = _shared_methods(one.methods, other.methods)
    if not both or len(one.headers) + len(one.query) != len(other.headers) + len(other.query):
        return False
    conditions = dict(one.headers), dict(one.query)
    for mine, theirs in zip(conditions, (dict(other.headers), dict(other.query)), strict=True):
        if any(mine.get(name, value) != value for name, value in theirs.items()):
            return False  # they ask for different values of one thing: no request meets both
    return True


def _shared_methods(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    # A route for every method steps back where another names the method.
    if one is None or other is None:
        return one is other
    return bool(one & other)

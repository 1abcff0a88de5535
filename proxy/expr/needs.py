"""Which parts of an answer are looked into, and which are only moved. Decided from the configuration's text, at load.

What is only moved need not be decoded: it stays the bytes that the upstream wrote. An operator that says nothing of its
use of a path is taken to look at everything below it.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from proxy.expr.jsonpath import Index, Name, Slice, Step, Wildcard, parse_path
from proxy.expr.scope import Reference

Mode = Literal["move", "open", "pick", "read"]
"""Moved whole; opened as an object whose values are moved; narrowed to some keys; looked into."""


class Use(Struct, frozen=True):
    """One use of what stands at `steps` below a root. `keys` are those that `pick` keeps."""

    root: str
    steps: tuple[Step, ...]
    mode: Mode
    keys: tuple[str, ...] = ()

    def of_elements(self, inner: "Use") -> "Use":
        """A use of the elements of the list that this one selects, as a use of this one's root."""
        plural = not all(isinstance(step, Name | Index) for step in self.steps)
        steps = self.steps if plural else (*self.steps, Wildcard())
        return Use(self.root, (*steps, *inner.steps), inner.mode, inner.keys)


def uses(references: Iterable[Reference], mode: Mode = "read") -> tuple[Use, ...]:
    """References as uses: of the path where they have one, else everything below the root is looked into."""
    return tuple(_use(reference, mode) for reference in references)


def _use(reference: Reference, mode: Mode) -> Use:
    if not reference.text.startswith("$."):
        return Use(reference.root, (), "read")
    return Use(reference.root, parse_path(reference.text).steps[1:], mode)


class Need(Struct, frozen=True):
    """What has to be known of a value, as a tree.

    `move`: nothing. `read`: all. `object`: the `children` and no other key. `open`: every key, the `children` as they
    say. `list`: of each element what `element` says. `pick`: nothing but these keys of an object, in this order.
    """

    kind: Literal["move", "read", "object", "open", "list", "pick"]
    children: tuple[tuple[str, "Need"], ...] = ()
    element: "Need | None" = None
    keys: tuple[str, ...] = ()


READ = Need("read")
MOVE = Need("move")


def need_of(found: Iterable[Use]) -> Need:
    """The need that several uses of one root make together."""
    root = _Node()
    for use in found:
        _node_at(root, use.steps, use).add(use)
    return root.freeze()


class _Node:
    """A need under construction."""

    __slots__ = ("children", "element", "modes", "picks")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.element: _Node | None = None
        self.modes: set[Mode] = set()
        self.picks: set[tuple[str, ...]] = set()

    def add(self, use: Use) -> None:
        if use.mode == "pick":
            self.picks.add(use.keys)
        else:
            self.modes.add(use.mode)

    def freeze(self) -> Need:
        inside = bool(self.children) or bool(self.picks) or "open" in self.modes
        # A value that is both moved and looked into is decoded: bytes and values of it would be work twice.
        if "read" in self.modes or (self.element is not None and inside) or ("move" in self.modes and self._is_deeper):
            return READ
        if self.element is not None:
            return Need("list", element=self.element.freeze())
        if len(self.picks) == 1 and not self.children and not self.modes:
            return Need("pick", keys=next(iter(self.picks)))
        for key in (key for keys in self.picks for key in keys):
            self.children.setdefault(key, _Node()).modes.add("move")
        children = tuple((key, child.freeze()) for key, child in self.children.items())
        if "open" in self.modes:
            # What stands under its keys is moved as well, so a key that is looked into is looked into whole.
            return Need("open", tuple((key, READ) for key, child in children if child.kind != "move"))
        return Need("object", children) if inside else MOVE

    @property
    def _is_deeper(self) -> bool:
        return bool(self.children or self.picks or self.element is not None or "open" in self.modes)


def _node_at(node: _Node, steps: tuple[Step, ...], use: Use) -> _Node:
    for step in steps:
        match step:
            case Name(key):
                node = node.children.setdefault(key, _Node())
            case Index() | Wildcard() | Slice():
                node.element = node.element or _Node()
                node = node.element
            case _:
                node.modes.add("read")  # a filter or a descent looks at everything here
                return _Node()
    return node

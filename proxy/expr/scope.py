"""The context document of one request: what expressions select from.

Request roots and, once settled, each call's value stand side by side in one mapping. `Missing` is what a path
that finds nothing yields; it is not null.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace


class Missing(Enum):
    """The one value that means: there is nothing here."""

    MISSING = "missing"

    def __bool__(self) -> bool:
        return False


MISSING = Missing.MISSING

REQUEST_ROOTS = frozenset({"params", "query", "query_all", "headers", "cookies", "body", "client", "request", "claims"})
"""Roots that hold what the client sent or is."""

RESERVED_ROOTS = REQUEST_ROOTS | {"calls", "env", "secret", "each", "batch"}
"""Names that no call may take."""


class Scope(dict[str, Any]):
    """Root name → value.

    `faults` collects the expressions that failed where a failure yields null; `misses` the names of the collections in
    which a key was not found; `indexes` has the collections of keyed calls, by call and key.
    """

    __slots__ = ("faults", "indexes", "misses")

    def __init__(self, roots: dict[str, Any], parent: "Scope | None" = None) -> None:
        super().__init__(roots)
        self.faults: list[str] = [] if parent is None else parent.faults
        self.misses: list[str] = [] if parent is None else parent.misses
        self.indexes: dict[str, dict[Any, Any]] = {} if parent is None else parent.indexes

    def child(self) -> "Scope":
        """A copy in which a loop may bind its own name; everything else is shared."""
        return Scope(self, self)


Evaluate = Callable[[Scope], Any]


class Reference(Struct, frozen=True):
    """One thing that an expression reads: the root, the call it belongs to (None for the request), the text.

    `client`: a loop's name whose elements the client chose.
    """

    root: str
    call: str | None
    text: str
    client: bool = False


class Vocabulary(Struct, frozen=True):
    """The names that an expression may use where it stands.

    `calls` are the route's calls; `params` its path parameters; `local` the names of the loops around;
    `constants` are resolved at load (`env`); `request` are the parts of the request that are known there; `chosen` are
    the loops over what the client sent; `samples` is what is known (`known.Known`) of calls and loops.
    """

    calls: frozenset[str] = frozenset()
    params: frozenset[str] = frozenset()
    local: frozenset[str] = frozenset()
    constants: tuple[tuple[str, Any], ...] = ()
    request: frozenset[str] = REQUEST_ROOTS
    chosen: frozenset[str] = frozenset()
    samples: tuple[tuple[str, Any], ...] = ()

    def with_local(self, name: str, *, client: bool = False, sample: Any = None) -> "Vocabulary":
        """The same inside a loop that binds `name`; `client`: over what the client sent; `sample`: of what is known."""
        chosen = self.chosen | {name} if client else self.chosen - {name}
        samples = (
            *(pair for pair in self.samples if pair[0] != name),
            *([(name, sample)] if sample is not None else []),
        )
        return replace(self, local=self.local | {name}, chosen=chosen, samples=samples)

    @property
    def roots(self) -> frozenset[str]:
        """Every name that an expression may start with here."""
        return self.request | self.calls | self.local | ({"calls"} if self.calls else frozenset())

    def knows(self, root: str) -> bool:
        """Whether an expression may start with this name."""
        return (
            root in self.calls or root in self.request or root in self.local or (root == "calls" and bool(self.calls))
        )

"""Which call waits for which: inferred from what their expressions read, never written.

An edge says that `target` needs `source` and names the expression that says so. A fallback's needs are edges of
their own: they matter only once the call has failed.
"""

from collections.abc import Iterator

from msgspec import Struct


class Edge(Struct, frozen=True):
    """`target` reads `source` (both call names) in `expression`; `fallback`: only when `target` has failed."""

    source: str
    target: str
    expression: str
    fallback: bool = False


class Graph(Struct, frozen=True):
    """The calls of one route, in the order of the file, and the edges between them."""

    calls: tuple[str, ...]
    edges: tuple[Edge, ...]

    def sources(self, call: str, *, fallback: bool = False) -> tuple[str, ...]:
        """The calls that `call` (or its fallback) reads, in the order of the file."""
        if not self.edges:
            return ()
        found = {edge.source for edge in self.edges if edge.target == call and edge.fallback == fallback}
        return tuple(name for name in self.calls if name in found)

    def cycle(self) -> tuple[Edge, ...]:
        """The edges of one cycle, in order, or nothing. A fallback that needs its own dependant is one too."""
        if not self.edges:
            return ()
        outgoing: dict[str, list[Edge]] = {name: [] for name in self.calls}
        for edge in self.edges:
            outgoing[edge.source].append(edge)
        done: set[str] = set()
        for start in self.calls:
            if start not in done and (found := _walk(start, outgoing, done)):
                return found
        return ()

    def critical_path(self) -> tuple[str, ...]:
        """The longest chain of calls that must follow one another. The graph has no cycle."""
        best: dict[str, tuple[str, ...]] = {}
        for name in self.order():
            before = [best[source] for source in self.sources(name)]
            best[name] = (*max(before, key=len, default=()), name)
        return max(best.values(), key=len, default=())

    def order(self) -> tuple[str, ...]:
        """The calls such that each comes after what it reads; otherwise as in the file."""
        left = list(self.calls)
        placed: list[str] = []
        while left:
            ready = next(name for name in left if all(source in placed for source in self.sources(name)))
            left.remove(ready)
            placed.append(ready)
        return tuple(placed)


def _walk(start: str, outgoing: dict[str, list[Edge]], done: set[str]) -> tuple[Edge, ...]:
    """Depth first without recursion; returns the edges of the first cycle met."""
    trail: list[Edge] = []
    on_trail = [start]
    pending: list[Iterator[Edge]] = [iter(outgoing[start])]
    while pending:
        edge = next(pending[-1], None)
        if edge is None:
            pending.pop()
            done.add(on_trail.pop())
            if trail:
                trail.pop()
        elif edge.target in on_trail:
            return (*trail[on_trail.index(edge.target) :], edge)
        elif edge.target not in done:
            trail.append(edge)
            on_trail.append(edge.target)
            pending.append(iter(outgoing[edge.target]))
    return ()

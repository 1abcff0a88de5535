"""Single flight: who asks for what is being asked for already waits for the same answer."""

from collections.abc import Callable, Hashable
from copy import copy
from functools import partial
from typing import Any

from proxy.upstream.exchange import Cancel, Done, UpstreamResponse


class _Flight:
    """One request under way, and those who wait for it."""

    __slots__ = ("cancel", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[object, Done] = {}
        self.cancel: Cancel | None = None


class Flights:
    """The requests under way, by key. One is cancelled when the last who waits for it has given up."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def begin(self, key: Hashable, start: Callable[[Done], Cancel], done: Done) -> Cancel:
        """Wait for the answer under `key`; only if nobody does yet, `start` asks for it."""
        flight = self._flights.get(key)
        ticket = object()
        if flight is not None:
            flight.waiting[ticket] = done
            return partial(self._leave, key, flight, ticket)
        flight = _Flight()
        flight.waiting[ticket] = done
        flight.cancel = start(partial(self._land, key, flight))
        self._flights[key] = flight
        return partial(self._leave, key, flight, ticket)

    def _land(self, key: Hashable, flight: _Flight, answer: UpstreamResponse | Exception) -> None:
        del self._flights[key]
        flight.cancel = None  # it knows us: so there is no cycle to collect
        for ticket in tuple(flight.waiting):
            # One that is told may make another give up.
            if (done := flight.waiting.pop(ticket, None)) is not None:
                # Each writes into its error which call it was, so each has its own.
                done(copy(answer) if isinstance(answer, Exception) else answer)

    def _leave(self, key: Hashable, flight: _Flight, ticket: object) -> Any:
        if flight.waiting.pop(ticket, None) is None or flight.waiting or self._flights.get(key) is not flight:
            return None
        del self._flights[key]
        cancel, flight.cancel = flight.cancel, None
        return None if cancel is None else cancel()

"""What requests that nobody asked for need: an upstream's budget of them, chance, and somebody to be told."""

from collections.abc import Callable

from msgspec import Struct

from proxy.clock import monotonic
from proxy.events import ExtraRequest, Observer
from proxy.policy.budget import Budget
from proxy.upstream.exchange import Begin, Cancel, Done, UpstreamRequest


class Extras(Struct, frozen=True):
    """Those of one upstream. `chance` gives a number between 0 and 1."""

    upstream: str
    budget: Budget
    observer: Observer
    chance: Callable[[], float]

    def take(self, kind: str, request: UpstreamRequest) -> bool:
        """Whether a request may be sent once more now, as a `retry` or a `hedge`; it is then counted."""
        allowed = self.budget.take(monotonic())
        if allowed and request.extra is not None:
            request.extra.append(kind)
        self.observer(ExtraRequest(self.upstream, kind, "sent" if allowed else "denied"))
        return allowed


def counted(begin: Begin, budget: Budget) -> Begin:
    """The same, where each request earns a share of an extra one."""

    def begin_counted(request: UpstreamRequest, done: Done) -> Cancel:
        budget.asked(monotonic())
        return begin(request, done)

    return begin_counted

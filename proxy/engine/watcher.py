"""Who is told what the calls of a request do."""

from typing import Protocol

from proxy.message import CallRecord
from proxy.plan.nodes import CallPlan


class Watcher(Protocol):
    """Must be quick and must not raise."""

    def called(self, call: CallPlan, record: CallRecord) -> None:
        """A request of a call has ended."""
        ...

    def looked(self, call: CallPlan, result: str, count: int) -> None:
        """So many answers were looked for among those that are kept: `hit`, `stale` or `miss`."""
        ...

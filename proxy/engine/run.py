"""Runs the calls of one request: asks the schedule, sends, waits, and stops at the deadline.

Everything that decides is synchronous (`schedule`, `call`); this module owns the tasks. When it returns or raises, no
task of the request is left: a failure that decides the answer, the deadline and a client that went away all cancel the
calls under way, which closes their connections.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from proxy.clock import monotonic
from proxy.engine.call import build_request, is_wanted, judge
from proxy.engine.crowd import Enough, ask_all
from proxy.engine.fanout import Part, allowed, bind, check_part, collect, judge_all, parts_of
from proxy.engine.outcome import Done, Failed, Fanned, Outcome, Skipped, describe
from proxy.engine.schedule import Next, Schedule, State
from proxy.errors import (
    BadRequest,
    DeadlineExceeded,
    GatewayError,
    PassedStatus,
    UpstreamTimeout,
)
from proxy.expr.scope import MISSING, Scope
from proxy.merge.keys import build_index
from proxy.message import CallRecord, Request
from proxy.plan.nodes import CallPlan, CompositePlan, FanPlan
from proxy.upstream.exchange import Upstream, UpstreamRequest, UpstreamResponse

T = TypeVar("T")

FORWARDED = ("Accept-Language", "Traceparent", "Tracestate")
"""What every call gets of the client's headers, besides the request id."""


class PassedBody(PassedStatus):
    """A passed status whose answer is the upstream's own JSON."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.body = body


class Run:
    """One composite request under way. Use `execute` once; then `outcomes` and the scope hold what came."""

    def __init__(
        self,
        plan: CompositePlan,
        scope: Scope,
        request: Request,
        upstreams: Mapping[str, Upstream],
        forward: Mapping[str, tuple[str, ...]],
        on_call: Callable[[CallPlan, CallRecord], None],
    ) -> None:
        self._calls = plan.calls
        self._scope = scope
        self._request = request
        self._upstreams = upstreams
        self._forward = forward
        self._on_call = on_call
        self._schedule = Schedule(plan.calls)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._fans: dict[int, list[Part]] = {}
        self._sends: dict[tuple[Any, ...], asyncio.Task[UpstreamResponse]] = {}
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expired = False
        self._reads_calls = plan.reads_calls
        if plan.reads_calls:
            scope["calls"] = {}
        self.outcomes: list[Outcome | None] = [None] * len(plan.calls)

    async def execute(self, deadline: float) -> None:
        """Run to the end, or to `deadline` (on the monotonic clock). Raises the `GatewayError` that ends the route."""
        timer = asyncio.get_running_loop().call_at(deadline, self._expire)
        try:
            for call in self._calls:
                for check in call.client_checks:
                    check(self._scope)
            self._go(self._schedule.start())
            await self._done
        finally:
            timer.cancel()
            await self._stop()

    async def _stop(self) -> None:
        left = [task for task in (*self._tasks.values(), *self._sends.values()) if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _go(self, step: Next) -> None:
        """Do what the schedule allows. Requests are made before any is sent: a bad value then sends nothing."""
        ready: list[tuple[CallPlan, UpstreamRequest | list[Part]]] = []
        ended: list[tuple[int, Outcome]] = []
        for index in step.calls:
            prepared = self._prepare(self._calls[index])
            if isinstance(prepared, UpstreamRequest | list):
                ready.append((self._calls[index], prepared))
            else:
                ended.append((index, prepared))
        if self._done.done():
            return
        for call, work in ready:
            task = spawn(self._perform_fan(call, work) if isinstance(work, list) else self._perform(call, work))
            task.add_done_callback(self._check_for_crash)
            self._tasks[call.index] = task
        for index, outcome in ended:
            self._finish(index, outcome)
        for index in step.fallbacks:
            self._fall_back(index)
        if self._schedule.finished and not self._done.done():
            self._done.set_result(None)

    def _check_for_crash(self, task: asyncio.Task[None]) -> None:
        """A defect ends the request at once, and is not waited for until the deadline."""
        if not task.cancelled() and (crash := task.exception()) is not None and not self._done.done():
            self._done.set_exception(crash)

    def _prepare(self, call: CallPlan) -> UpstreamRequest | list[Part] | Outcome:
        if self._expired:
            return Failed(DeadlineExceeded("the route's time was over before it could start"))
        try:
            if not call.when_each and not is_wanted(call, self._scope):
                return Skipped()
            if call.fan is not None:
                return self._prepare_fan(call, call.fan)
            return build_request(call, self._scope, self._forwarded(call))
        except BadRequest as error:
            self._end(call, error)
            return Failed(error)
        except GatewayError as error:
            return Failed(error)

    def _prepare_fan(self, call: CallPlan, fan: FanPlan) -> list[Part] | Outcome:
        parts = self._fans[call.index] = parts_of(fan, self._scope)
        forwarded = self._forwarded(call)
        for part in parts:
            try:
                if call.when_each and not is_wanted(call, part.scope):
                    part.outcome = Skipped()
                else:
                    part.request = build_request(call, part.scope, forwarded)
            except BadRequest:
                raise
            except GatewayError as error:
                part.outcome = Failed(error)
        return parts if any(part.outcome is None for part in parts) else judge_all(call, parts)

    def _forwarded(self, call: CallPlan) -> list[tuple[str, str]]:
        headers = self._request.headers
        names = (*FORWARDED, *self._forward[call.upstream])
        pairs = [(name, value) for name in names for value in headers.getall(name, ())]
        return [
            ("Accept", "application/json" if call.decode == "json" else "*/*"),
            ("X-Request-Id", self._request.id),
            *pairs,
        ]

    async def _perform(self, call: CallPlan, request: UpstreamRequest) -> None:
        started = monotonic()
        outcome, status = await self._ask(call, request)
        self._log(call, outcome, status, monotonic() - started)
        self._finish(call.index, outcome)

    async def _perform_fan(self, call: CallPlan, parts: list[Part]) -> None:
        assert call.fan is not None
        started = monotonic()
        asked = [part for part in parts if part.request is not None]
        failing = sum(len(part.elements) for part in parts if part.failure)

        async def ask(part: Part) -> None:
            nonlocal failing
            assert part.request is not None
            outcome, _ = await self._ask(call, part.request)
            part.outcome = check_part(call, outcome)
            failing += len(part.elements) if part.failure else 0
            if call.fallback is None and failing > allowed(call, parts):
                raise Enough

        await ask_all(asked, call.fan.concurrency, ask)
        outcome = judge_all(call, parts)
        self._log(call, outcome, _last_status(parts), monotonic() - started, len(asked))
        self._finish(call.index, outcome)

    async def _ask(self, call: CallPlan, request: UpstreamRequest) -> tuple[Outcome, int]:
        """Send one request; what its answer means, and its status (0 without one)."""
        started = monotonic()
        status = 0
        try:
            response = await self._send_in_time(call, request)
            status = response.status
            outcome = judge(call, response)
        except GatewayError as error:
            outcome = Failed(error)
        self._on_call(call, _record(call, outcome, status, monotonic() - started))
        return outcome, status

    async def _send_in_time(self, call: CallPlan, request: UpstreamRequest) -> UpstreamResponse:
        if call.timeout_s is None:
            return await self._send(call, request)
        try:
            async with asyncio.timeout(call.timeout_s):
                return await self._send(call, request)
        except TimeoutError:
            raise UpstreamTimeout(f"no answer within {call.timeout_s:g} s") from None

    async def _send(self, call: CallPlan, request: UpstreamRequest) -> UpstreamResponse:
        upstream = self._upstreams[call.upstream]
        if not call.shared:
            return await upstream.send(request)
        key = (call.upstream, request.target, request.max_body, *request.headers.items())
        task = self._sends.get(key)
        if task is None:
            task = self._sends[key] = spawn(upstream.send(request))
            task.add_done_callback(_take_exception)
        # The answer is for both: one that stops waiting must not take it from the other.
        return await asyncio.shield(task)

    def _log(self, call: CallPlan, outcome: Outcome, status: int, seconds: float, requests: int = 1) -> None:
        record = _record(call, outcome, status, seconds, requests)
        record.started_ms = round((monotonic() - seconds - self._request.received_at) * 1000, 3)
        self._request.calls.append(record)

    def _finish(self, index: int, outcome: Outcome) -> None:
        """A call has ended. Its value goes into the scope, or its failure decides the route."""
        if self._done.done() or self._schedule.state(index) is not State.RUNNING:
            return
        call = self._calls[index]
        self.outcomes[index] = outcome
        if self._reads_calls:
            ms = next((record.ms for record in reversed(self._request.calls) if record.name == call.name), 0)
            self._scope["calls"][call.name] = describe(outcome, ms)
        match outcome:
            case Done():
                self._settle(call, outcome.value)
            case Skipped():
                self._settle(call, None)
            case Fanned(failures=failures) if not failures or call.fallback is None:
                self._settle_fan(call)
            case Failed() if call.fallback is None or isinstance(outcome.error, BadRequest):
                self._end(call, _fatal(call, outcome))
            case _:
                self._go(self._schedule.fail(index))

    def _fall_back(self, index: int) -> None:
        call = self._calls[index]
        assert call.fallback is not None
        try:
            if call.fan is None:
                value = call.fallback(self._scope)
                self._settle(call, None if value is MISSING else value)
                return
            for part in self._fans.get(index, ()):
                if part.failure is not None:
                    value = call.fallback(bind(call.fan, self._scope, part.elements))
                    part.fallback = None if value is MISSING else value
        except GatewayError as error:
            self._end(call, error)
            return
        self._settle_fan(call)

    def _settle(self, call: CallPlan, value: Any) -> None:
        self._scope[call.name] = value
        if call.keyed is not None and isinstance(value, list):
            self._scope.indexes[call.name] = build_index(value, call.keyed)
        self._go(self._schedule.settle(call.index))

    def _settle_fan(self, call: CallPlan) -> None:
        collection = collect(call, self._fans.get(call.index, []))
        self._scope[call.name] = collection.elements
        self._scope.indexes[call.name] = collection.index
        self._go(self._schedule.settle(call.index))

    def _end(self, call: CallPlan, error: GatewayError) -> None:
        if not self._done.done():
            error.call = call.name
            self._done.set_exception(error)

    def _expire(self) -> None:
        """The deadline: what has a fallback takes it now, what is required ends the route."""
        self._expired = True
        try:
            self._end_all()
        except Exception as crash:  # nobody else would hear of it: this is a timer's callback
            if not self._done.done():
                self._done.set_exception(crash)

    def _end_all(self) -> None:
        for index in self._schedule.unsettled():
            call = self._calls[index]
            if self._done.done():
                return
            match self._schedule.state(index):
                case State.RUNNING:
                    if (task := self._tasks.get(index)) is not None:
                        task.cancel()
                    self._finish(index, self._cut_off(call))
                case State.FAILED:
                    self._fall_back(index)

    def _cut_off(self, call: CallPlan) -> Outcome:
        """What the deadline makes of a call under way; of a fan-out, what has been answered stays."""
        failure = Failed(DeadlineExceeded("the route's time was over before it answered"))
        seconds = monotonic() - self._request.received_at
        self._on_call(call, _record(call, failure, 0, seconds))
        outcome: Outcome = failure
        if call.fan is not None:
            parts = self._fans[call.index]
            for part in parts:
                part.outcome = part.outcome or failure
            outcome = judge_all(call, parts)
        self._log(call, outcome, 0, seconds, len(self._fans.get(call.index, (0,))))
        return outcome


def _fatal(call: CallPlan, failed: Failed) -> GatewayError:
    if failed.status in call.pass_status and failed.error.code == "upstream_status":
        return PassedStatus(failed.status) if failed.body is None else PassedBody(failed.status, failed.body)
    return failed.error


def _record(call: CallPlan, outcome: Outcome, status: int, seconds: float, requests: int = 1) -> CallRecord:
    error = None
    match outcome:
        case Failed(error=failed) | Fanned(failures=[(_, Failed(error=failed)), *_]):
            error = failed.code
    return CallRecord(call.name, status, round(seconds * 1000, 3), error, requests)


def _last_status(parts: list[Part]) -> int:
    """The status that says most of a fan-out: the first bad one, else the last."""
    statuses = [part.outcome.status for part in parts if isinstance(part.outcome, Done | Failed)]
    bad = [part.outcome.status for part in parts if isinstance(part.outcome, Failed)]
    return (bad or statuses or [0])[0]


def _take_exception(task: asyncio.Task[Any]) -> None:
    """All who waited for it may have given up; then nobody else would take its failure."""
    if not task.cancelled():
        task.exception()


def spawn(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task of this request; `Run` owns it and stops it."""
    return asyncio.get_running_loop().create_task(work)

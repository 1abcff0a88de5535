"""Runs the calls of one request: asks the schedule, sends, and stops at the deadline.

Everything that decides is synchronous (`schedule`, `call`, `fanout`), and so is this: answers come as callbacks, and
only `execute` waits. When it returns or raises, nothing of the request is under way: a failure that decides the answer,
the deadline and a client that went away all cancel the calls, which closes their connections.
"""

import asyncio
from functools import partial
from typing import Any

from proxy.cache.flights import Flights
from proxy.clock import monotonic
from proxy.engine.ask import Ask, Way
from proxy.engine.call import build_request, is_wanted
from proxy.engine.crowd import Crowd
from proxy.engine.fanout import FanOut, Part, bind, collect, elements_of, judge_all, parts_of
from proxy.engine.keeper import Keeper
from proxy.engine.outcome import Done, Failed, Fanned, Outcome, Skipped, describe
from proxy.engine.schedule import Next, Schedule, State
from proxy.engine.watcher import Watcher
from proxy.engine.ways import Prepared, coalescing
from proxy.errors import BadRequest, DeadlineExceeded, GatewayError, PassedStatus
from proxy.expr.scope import MISSING, Scope
from proxy.merge.keys import build_index
from proxy.message import CallRecord, Request
from proxy.plan.nodes import CallPlan, FanPlan
from proxy.upstream.exchange import Pairs, UpstreamRequest


class PassedBody(PassedStatus):
    """A passed status whose answer is the upstream's own JSON."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.body = body


class Run:
    """One composite request under way. Use `execute` once; then `outcomes` and the scope hold what came."""

    __slots__ = (
        "_asks",
        "_calls",
        "_crowds",
        "_deadline",
        "_error",
        "_expired",
        "_fans",
        "_flights",
        "_forwards",
        "_keeper",
        "_left",
        "_loop",
        "_over",
        "_prepared",
        "_request",
        "_schedule",
        "_scope",
        "_waiter",
        "_watcher",
        "outcomes",
    )

    def __init__(self, prepared: Prepared, scope: Scope, request: Request, watcher: Watcher) -> None:
        plan = prepared.plan
        self._prepared = prepared
        self._calls = plan.calls
        self._scope = scope
        self._request = request
        self._watcher = watcher
        self._schedule = Schedule(prepared.order)
        self._loop = asyncio.get_running_loop()
        self._asks: dict[int, Ask] = {}
        self._crowds: dict[int, Crowd] = {}
        self._fans: dict[int, FanOut] = {}
        self._flights: Flights | None = None
        self._keeper: Keeper | None = None
        self._forwards: dict[tuple[str, tuple[str, ...]], Pairs] = {}
        self._over = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._left: list[asyncio.Future[Any]] = []
        self._expired = False
        self._deadline = 0.0
        if plan.reads_calls:
            scope["calls"] = {}
        self.outcomes: list[Outcome | None] = [None] * len(plan.calls)

    async def execute(self, deadline: float) -> None:
        """Run to the end, or to `deadline` (on the monotonic clock). Raises the `GatewayError` that ends the route."""
        timers = self._prepared.deadlines
        self._deadline = deadline
        # Reading the request's body may have taken a good part of the time.
        whole = deadline - monotonic() > timers.seconds - 0.01
        timer = timers.start(self._expire)
        late = None if whole else self._loop.call_at(deadline, self._expire)
        try:
            for call in self._calls:
                for check in call.client_checks:
                    check(self._scope)
            self._go(self._schedule.start())
            if not self._over:
                self._waiter = self._loop.create_future()
                await self._waiter
            if self._error is not None:
                raise self._take_error()
        except BaseException:
            self._stop()
            raise
        finally:
            timer.cancel()
            if late is not None:
                late.cancel()
            self._asks.clear()  # they know us: so there is no cycle to collect
            self._crowds.clear()
            if self._left:
                await asyncio.wait(self._left)

    def _stop(self) -> None:
        """Cancel what is under way."""
        for index in (*self._asks, *self._crowds):
            self._cancel(index)

    def _end_with(self, error: Exception | None) -> None:
        """The run is over, with its first end."""
        if self._over:
            return
        self._over = True
        self._error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take_error(self) -> Exception:
        """Why the run ended. It is not kept: its traceback knows us, and there is to be no cycle to collect."""
        error, self._error = self._error, None
        assert error is not None
        return error

    def _crashed(self, defect: Exception) -> None:
        """A defect ends the request at once, and is not waited for until the deadline."""
        self._end_with(defect)

    def _go(self, step: Next) -> None:
        """Do what the schedule allows. Requests are made before any is sent: a bad value then sends nothing."""
        if not step.calls and not step.fallbacks:
            if self._schedule.finished:
                self._end_with(None)
            return
        ready: list[tuple[CallPlan, UpstreamRequest | FanOut]] = []
        ended: list[tuple[int, Outcome]] = []
        for index in step.calls:
            prepared = self._prepare(self._calls[index])
            if isinstance(prepared, UpstreamRequest | FanOut):
                ready.append((self._calls[index], prepared))
            else:
                ended.append((index, prepared))
        if self._over:
            return
        for call, work in ready:
            if isinstance(work, FanOut):
                self._ask_crowd(call, work)
            else:
                self._ask(call, work)
        for index, outcome in ended:
            self._finish(index, outcome)
        for index in step.fallbacks:
            self._fall_back(index)
        if self._schedule.finished:
            self._end_with(None)

    def _prepare(self, call: CallPlan) -> UpstreamRequest | FanOut | Outcome:
        if self._expired:
            return Failed(DeadlineExceeded("the route's time was over before it could start"))
        try:
            if not call.when_each and call.when is not None and not is_wanted(call, self._scope):
                return Skipped()
            if call.fan is not None:
                return self._prepare_fan(call, call.fan)
            request = build_request(call, self._scope, self._forwarded(call))
            return request if call.cache is None else self._kept(call, request) or request
        except BadRequest as error:
            self._end(call, error)
            return Failed(error)
        except GatewayError as error:
            return Failed(error)

    def _prepare_fan(self, call: CallPlan, fan: FanPlan) -> FanOut | Outcome:
        forwarded = self._forwarded(call)
        elements = elements_of(fan, self._scope)
        fanned = self._fans[call.index] = FanOut(elements)
        if call.cache is not None and call.cache.per_key:
            fanned.parts, elements = self._keeping().find_parts(call, fan, elements)
        fanned.parts += parts_of(fan, self._scope, elements)
        for part in fanned.parts:
            try:
                if part.outcome is not None:
                    continue
                if call.when_each and not is_wanted(call, part.scope):
                    part.outcome = Skipped()
                else:
                    part.request = build_request(call, part.scope, forwarded)
                    part.request.deadline = self._deadline
                    if call.cache is not None and not call.cache.per_key:
                        part.outcome = self._kept(call, part.request)
            except BadRequest:
                raise
            except GatewayError as error:
                part.outcome = Failed(error)
        if any(part.outcome is None for part in fanned.parts):
            return fanned
        return judge_all(call, fanned.parts)

    def _forwarded(self, call: CallPlan) -> Pairs:
        """The headers that the call has before its own. The same list for calls that have the same."""
        kind = self._prepared.forwarded[call.index]
        pairs = self._forwards.get(kind)
        if pairs is None:
            headers = self._request.headers
            accept, names = kind
            pairs = self._forwards[kind] = [("Accept", accept), ("X-Request-Id", self._request.id)]
            for name in names:
                if name in headers:
                    pairs += [(name, value) for value in headers.getall(name)]
        return pairs

    def _way(self, call: CallPlan) -> Way:
        way = self._prepared.ways[call.index]
        if not call.shared or call.coalesce:
            return way
        if self._flights is None:
            self._flights = Flights()
        return Way(coalescing(way.begin, self._flights, call.upstream), way.decode, way.timers)

    def _ask(self, call: CallPlan, request: UpstreamRequest) -> None:
        request.deadline = self._deadline
        ended = partial(self._answered, call, request)
        self._asks[call.index] = Ask(call, self._way(call), request, ended, self._crashed)

    def _answered(self, call: CallPlan, request: UpstreamRequest, outcome: Outcome, status: int, s: float) -> None:
        record = self._log(call, outcome, status, s, 1 if request.extra is None else 1 + len(request.extra))
        self._watcher.called(call, record)
        if call.cache is not None:
            outcome = self._keeping().keep(call, request, outcome)
        self._finish(call.index, outcome)

    def _ask_crowd(self, call: CallPlan, fanned: FanOut) -> None:
        started = monotonic()

        def answered(part: Part, status: int, seconds: float) -> None:
            assert part.outcome is not None
            assert part.request is not None
            self._watcher.called(call, _record(call, part.outcome, status, seconds))
            if call.cache is not None:
                part.outcome = self._keeping().keep_part(call, part, part.request)

        def ended() -> None:
            outcome = judge_all(call, fanned.parts)
            extra = sum(len(part.request.extra) for part in fanned.parts if part.request and part.request.extra)
            self._log(call, outcome, _last_status(fanned.parts), monotonic() - started, crowd.size + extra)
            self._finish(call.index, outcome)

        crowd = Crowd(call, self._way(call), fanned.parts, answered, ended, self._crashed)
        self._crowds[call.index] = crowd

    def _log(self, call: CallPlan, outcome: Outcome, status: int, seconds: float, requests: int = 1) -> CallRecord:
        record = _record(call, outcome, status, seconds, requests)
        record.started_ms = int((monotonic() - seconds - self._request.received_at) * 1e6) / 1e3
        self._request.calls.append(record)
        return record

    def _keeping(self) -> Keeper:
        """What deals with answers that are kept; made for the first call that has some."""
        if self._keeper is None:
            self._keeper = Keeper(self._prepared, self._scope, self._watcher, self._forwarded)
        return self._keeper

    def _kept(self, call: CallPlan, request: UpstreamRequest) -> Done | None:
        """An answer from before, if there is one."""
        done = self._keeping().find(call, request)
        if done is not None and call.fan is None:
            self._log(call, done, done.status, 0.0, 0)
        return done

    # How calls end.

    def _finish(self, index: int, outcome: Outcome) -> None:
        """A call has ended. Its value goes into the scope, or its failure decides the route."""
        if self._over or self._schedule.state(index) is not State.RUNNING:
            return
        call = self._calls[index]
        self.outcomes[index] = outcome
        if self._prepared.plan.reads_calls:
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
            for part in self._fans[index].parts if index in self._fans else ():
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
        collection = collect(call, self._fans.get(call.index) or FanOut())
        self._scope[call.name] = collection.elements
        self._scope.indexes[call.name] = collection.index
        self._go(self._schedule.settle(call.index))

    def _end(self, call: CallPlan, error: GatewayError) -> None:
        if not self._over:
            error.call = call.name
            self._end_with(error)

    def _expire(self) -> None:
        """The deadline: what has a fallback takes it now, what is required ends the route."""
        self._expired = True
        try:
            self._end_all()
        except Exception as crash:  # nobody else would hear of it: this is a timer's callback
            self._end_with(crash)

    def _end_all(self) -> None:
        for index in self._schedule.unsettled():
            call = self._calls[index]
            if self._over:
                return
            match self._schedule.state(index):
                case State.RUNNING:
                    self._cancel(index)
                    self._finish(index, self._cut_off(call))
                case State.FAILED:
                    self._fall_back(index)

    def _cancel(self, index: int) -> None:
        """Stop asking for a call. What is then still to be waited for, `execute` waits for at the end."""
        if (ask := self._asks.get(index)) is not None and (rest := ask.cancel()) is not None:
            self._left.append(rest)
        if (crowd := self._crowds.get(index)) is not None:
            self._left += crowd.cancel()

    def _cut_off(self, call: CallPlan) -> Outcome:
        """What the deadline makes of a call under way; of a fan-out, what has been answered stays."""
        failure = Failed(DeadlineExceeded("the route's time was over before it answered"))
        seconds = monotonic() - self._request.received_at
        self._watcher.called(call, _record(call, failure, 0, seconds))
        outcome: Outcome = failure
        if call.fan is not None:
            parts = self._fans[call.index].parts
            for part in parts:
                part.outcome = part.outcome or failure
            outcome = judge_all(call, parts)
        crowd = self._crowds.get(call.index)
        self._log(call, outcome, 0, seconds, 1 if crowd is None else crowd.size)
        return outcome


def _fatal(call: CallPlan, failed: Failed) -> GatewayError:
    if failed.status in call.pass_status and failed.error.code == "upstream_status":
        return PassedStatus(failed.status) if failed.body is None else PassedBody(failed.status, failed.body)
    return failed.error


def _record(call: CallPlan, outcome: Outcome, status: int, seconds: float, requests: int = 1) -> CallRecord:
    error = None
    if type(outcome) is not Done:
        match outcome:
            case Failed(error=failed) | Fanned(failures=[(_, Failed(error=failed)), *_]):
                error = failed.code
    return CallRecord(call.name, status, int(seconds * 1e6) / 1e3, error, requests)


def _last_status(parts: list[Part]) -> int:
    """The status that says most of a fan-out: the first bad one, else the last."""
    statuses = [part.outcome.status for part in parts if isinstance(part.outcome, Done | Failed)]
    bad = [part.outcome.status for part in parts if isinstance(part.outcome, Failed)]
    return (bad or statuses or [0])[0]

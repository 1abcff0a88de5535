"""The endpoints of an upstream, where there are several: choosing one for each request, and learning how it went.

What decides is in `policy`; here the outcomes are brought to it and its decisions are carried out. A request costs one
choice and one look at its outcome: which endpoints may be chosen is worked out only when one changes its state.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from random import Random

from proxy.errors import UpstreamFailed, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from proxy.events import EndpointChanged, Observer
from proxy.plan.upstreams import Endpoint, OutlierPlan, UpstreamPlan
from proxy.policy.balance import Balancer, Peer, make_balancer, observe_latency
from proxy.policy.breaker import Breaker
from proxy.policy.health import Health, ramp
from proxy.policy.outlier import Outlier, Outliers
from proxy.upstream.exchange import Cancel, Client, Done, StreamedResponse, UpstreamRequest, UpstreamResponse
from proxy.upstream.guarded import Guarded
from proxy.upstream.http1.pool import Pool

_LOG = logging.getLogger("proxy.upstream")
_STEPS = 10  # of a slow start
# Without `outlier`, what cannot be reached is put out all the same: it refuses quickly, so it would always look idle.
_UNREACHABLE_ONLY = OutlierPlan(statuses=False)


class Member(Peer):
    """One endpoint with its connections and what is known of it."""

    __slots__ = ("endpoint", "full_weight", "guarded", "health", "outlier", "pool", "warm_from", "way")

    def __init__(
        self, endpoint: Endpoint, weight: float, pool: Pool, health: Health, guarded: Guarded | None = None
    ) -> None:
        super().__init__(endpoint.label + endpoint.base_path, weight)
        self.guarded = guarded
        self.way: Client = pool if guarded is None else guarded
        self.endpoint = endpoint
        self.full_weight = weight
        self.pool = pool
        self.health = health
        self.outlier = Outlier()
        self.warm_from: float | None = None

    def __repr__(self) -> str:
        return f"<Endpoint {self.endpoint.label}: {self.state}, {self.active} in flight>"

    @property
    def ready(self) -> bool:
        """Whether its breaker, if it has one, would let a request through."""
        return self.guarded is None or self.guarded.ready()

    @property
    def state(self) -> str:
        """`healthy`, `unhealthy` or `ejected`."""
        return "unhealthy" if not self.health.healthy else "ejected" if self.outlier.ejected else "healthy"


class Endpoints:
    """The members of one upstream. `open_pool` gives the pool of an endpoint, `drop_pool` takes it back."""

    def __init__(
        self,
        plan: UpstreamPlan,
        endpoints: Sequence[Endpoint],
        open_pool: Callable[[Endpoint], Pool],
        drop_pool: Callable[[Endpoint], None],
        observer: Observer,
        rng: Random,
    ) -> None:
        self._plan = plan
        self._open_pool = open_pool
        self._drop_pool = drop_pool
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._rule = rule = plan.outlier or _UNREACHABLE_ONLY
        self._outliers = Outliers(rule.consecutive, rule.eject_for_s, rule.max_ejected)
        self._timed = plan.balance == "ewma"
        self._balancer: Balancer[Member] = make_balancer(plan.balance, rng)
        self._timers: set[asyncio.TimerHandle] = set()
        self._panic = False
        self._has_breakers = plan.breaker is not None and plan.breaker.per_endpoint
        weights = plan.weights or (1,) * len(endpoints)
        self._usable: Sequence[Member] = ()
        self.members = [self._make(endpoint, weight) for endpoint, weight in zip(endpoints, weights, strict=True)]
        self._refresh()

    # Requests.

    def begin(self, request: UpstreamRequest, done: Done) -> Cancel:
        """`Pool.begin` of the endpoint whose turn it is."""
        started = self._loop.time()
        member = self._choose(request, started)
        under_way = True

        def ended(answer: UpstreamResponse | Exception) -> None:
            nonlocal under_way
            if under_way:
                under_way = False
                member.active -= 1
                self._learn(member, answer, started)
                done(answer)

        def stop() -> "asyncio.Future[object] | None":
            nonlocal under_way
            if under_way:
                under_way = False
                member.active -= 1
                self._cancelled(member, request, started)
            return cancel()

        cancel = member.way.begin(request, ended)
        member.active += 1  # only now: what cannot be sent raises
        return stop

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """`Pool.send` of the endpoint whose turn it is."""
        started = self._loop.time()
        member = self._choose(request, started)
        member.active += 1
        try:
            answer = await member.way.send(request)
        except Exception as error:
            self._learn(member, error, started)
            raise
        except asyncio.CancelledError:
            self._cancelled(member, request, started)
            raise
        finally:
            member.active -= 1
        self._learn(member, answer, started)
        return answer

    async def open(self, request: UpstreamRequest) -> StreamedResponse:
        """`Pool.open` of the endpoint whose turn it is: it has the request until its answer's end."""
        started = self._loop.time()
        member = self._choose(request, started)
        member.active += 1

        def over() -> None:
            member.active -= 1

        try:
            answer = await member.way.open(request)
        except BaseException as error:
            over()
            if isinstance(error, Exception):
                self._learn(member, error, started)
            else:
                self._cancelled(member, request, started)
            raise
        answer.when_over(over)
        self._learn(member, answer, started)
        return answer

    def _choose(self, request: UpstreamRequest, now: float) -> Member:
        """The balancer's choice, unless that one has had this request already or its breaker is open."""
        member = self._balancer.choose(now, request.key)
        tried = request.tried
        if self._has_breakers or tried:
            member = self._other_than(tried or (), member)
        if tried is not None:
            tried.append(member)
        return member

    def _other_than(self, tried: Sequence[object], member: Member) -> Member:
        if member not in tried and member.ready:
            return member
        ready = [other for other in self._usable if other.ready] or [member]
        fresh = [other for other in ready if other not in tried] or ready
        return min(fresh, key=lambda other: other.active / other.weight)

    # What came of them.

    def _learn(self, member: Member, answer: UpstreamResponse | StreamedResponse | Exception, started: float) -> None:
        if isinstance(answer, Exception):
            if not isinstance(answer, UpstreamUnreachable | UpstreamTimeout | UpstreamInvalid):
                return  # nothing that the endpoint did: a limit of ours, a broken request, a defect
            unwell, counts = True, self._rule.statuses or isinstance(answer, UpstreamUnreachable)
        else:
            unwell = answer.status >= 500
            counts = unwell and self._rule.statuses
        if counts:
            self._failed(member, answer)
        elif member.outlier.failures and not unwell:
            member.outlier.failures = 0
        if self._timed:
            now = self._loop.time()
            observe_latency(member, now - started, now, failed=unwell)

    def _cancelled(self, member: Member, request: UpstreamRequest, started: float) -> None:
        """Nobody waits any more. If that is because the time was over, it is the endpoint that was too slow."""
        now = self._loop.time()
        late = request.deadline is not None and now >= request.deadline
        if late and self._rule.statuses:
            self._failed(member, UpstreamTimeout())
        if self._timed:
            observe_latency(member, now - started, now, failed=late)

    def _failed(self, member: Member, answer: object) -> None:
        now = self._loop.time()
        seconds = self._outliers.failed(member.outlier, [other.outlier for other in self.members], now)
        if seconds is None:
            return
        last = answer.code if isinstance(answer, UpstreamFailed) else f"status {getattr(answer, 'status', 0)}"
        self._changed(member, "ejected", f"for {seconds:g} s, after failures in a row; the last: {last}")
        until = member.outlier.until
        self._later(seconds, lambda: self._time_over(member, until))

    # States.

    def checked(self, member: Member, passed: bool, reason: str) -> None:
        """An active check of a member has ended."""
        if member.health.checked(passed):
            if passed:
                self._warm(member)
            self._changed(member, member.state, reason)
        if passed and member.outlier.ejected:
            self._return(member, "an active check has found it well")

    def _time_over(self, member: Member, until: float | None) -> None:
        if member.outlier.until == until and member in self.members:  # and not back before, or out anew
            self._return(member, "its time is over")

    def _return(self, member: Member, reason: str) -> None:
        self._outliers.returned(member.outlier, self._loop.time())
        self._warm(member)
        self._changed(member, member.state, reason)

    def _changed(self, member: Member, state: str, reason: str) -> None:
        """Tell of it, and work out anew who may be chosen."""
        level = logging.INFO if state in ("healthy", "added", "removed") else logging.WARNING
        _LOG.log(level, "upstream %s: endpoint %s is %s: %s", self._plan.name, member.endpoint.label, state, reason)
        self._refresh()
        self._observer(EndpointChanged(self._plan.name, member.endpoint.label, state, reason))

    def _refresh(self) -> None:
        usable = [member for member in self.members if member.state == "healthy"]
        if not usable and not self._panic:
            _LOG.warning("upstream %s: no endpoint is well, so all are used", self._plan.name)
        self._panic = not usable
        now = self._loop.time()
        for member in self.members:
            if member.warm_from is not None:
                share = ramp(now - member.warm_from, self._plan.slow_start_s)
                member.weight = member.full_weight * share
                if share >= 1:
                    member.warm_from = None
        self._usable = usable or self.members
        self._balancer.update(self._usable)

    def _warm(self, member: Member) -> None:
        """From now on it gets requests again: few at first, if the upstream has a slow start."""
        if self._plan.slow_start_s:
            member.warm_from = self._loop.time()
            self._later(self._plan.slow_start_s / _STEPS, self._warmer)

    def _warmer(self) -> None:
        self._refresh()
        if any(member.warm_from is not None for member in self.members):
            self._later(self._plan.slow_start_s / _STEPS, self._warmer)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        def ring() -> None:
            self._timers.discard(handle)
            work()

        handle = self._loop.call_later(seconds, ring)
        self._timers.add(handle)

    # Endpoints that come and go.

    def _make(self, endpoint: Endpoint, weight: float) -> Member:
        health = self._plan.health
        machine = Health(health.passes, health.fails) if health is not None else Health(1, 1)
        pool, plan = self._open_pool(endpoint), self._plan.breaker
        guarded = None
        if plan is not None and plan.per_endpoint:
            guarded = Guarded(pool, Breaker(plan), self._plan.name, endpoint.label, self._observer)
        return Member(endpoint, weight, pool, machine, guarded)

    def replace(self, wanted: Mapping[Endpoint, float]) -> None:
        """From now on these are the endpoints, with their weights.

        Those that stay keep everything; those that go end what they have.
        """
        gone = [member for member in self.members if member.endpoint not in wanted]
        known = {member.endpoint for member in self.members}
        new = [self._make(endpoint, weight) for endpoint, weight in wanted.items() if endpoint not in known]
        self.members = [member for member in self.members if member.endpoint in wanted] + new
        for member in self.members:
            if member.full_weight != wanted[member.endpoint]:
                member.weight = member.full_weight = wanted[member.endpoint]
        self._refresh()
        for member in new:
            self._changed(member, "added", "the name resolves to it")
        for member in gone:
            self._changed(member, "removed", "the name does not resolve to it any more")
            self._drop_pool(member.endpoint)

    def close(self) -> None:
        """Nothing happens any more by itself."""
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()

"""Rate limits that all processes and machines count together, in a Redis or Valkey: one round trip for a request.

The script runs there as a whole, by the server's own clock, so no two processes can both take the last place, whatever
their clocks say. Names hold the numbers of their limit: one that changes begins anew.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import ceil
from typing import Any

from proxy.cache.outage import Outage
from proxy.cache.redis import connect
from proxy.clock import monotonic
from proxy.events import LimitsUncounted, Observer
from proxy.plan.ratelimit import RateLimitPlan
from proxy.policy.ratelimit import Verdict, judge_apart

_LOG = logging.getLogger("proxy.security.limits")

# The generic cell rate algorithm (policy/ratelimit) in microseconds. Of each limit: the time between two requests, and
# how far ahead a key may be. Says how long to wait and how far ahead it is now, for each; counts in all or in none.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due, answers, refused = {}, {}, false
for i = 1, #KEYS do
  local interval, tolerance = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local start = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now)
  local wait = start + interval - now - tolerance
  if wait > 0 then refused = true else wait = 0 end
  due[i] = start + interval
  answers[2 * i - 1] = math.ceil(wait)
  answers[2 * i] = math.ceil(wait > 0 and start - now or due[i] - now)
end
if not refused then
  for i = 1, #KEYS do
    redis.call('SET', KEYS[i], string.format('%.0f', math.ceil(due[i])), 'PX', math.ceil((due[i] - now) / 1000) + 1)
  end
end
return answers
"""


class SharedCounts:
    """What is counted at `url`. `timeout_s` is how long one answer may take."""

    def __init__(self, url: str, timeout_s: float, observer: Observer, *, now: Callable[[], float] = monotonic) -> None:
        redis: Any = connect(url)
        self._redis = redis
        # Sent by its hash, and once as text to a server that does not know it (yet, or any more).
        self._script = redis.register_script(_SCRIPT)
        self._timeout_s = timeout_s
        self._observer = observer
        self._now = now
        self._outage = Outage()

    async def judge(self, limits: Sequence[RateLimitPlan], keys: Sequence[str]) -> list[Verdict] | None:
        """The verdict of each limit on a request with these keys; None while nobody can tell."""
        if not self._outage.admit(self._now()):
            self._observer(LimitsUncounted(limits[0].route, "outage"))
            return None
        names = [_name(plan, key) for plan, key in zip(limits, keys, strict=True)]
        try:
            async with asyncio.timeout(self._timeout_s):
                said: list[int] = await self._script(keys=names, args=_numbers(limits))
        except Exception as error:  # whatever it is that a server or its client says: the route says what is to be done
            if self._outage.failed(self._now()):
                # Only its kind: the message may name addresses.
                _LOG.warning("server.limit_store does not answer (%s)", type(error).__name__)
            reason = "timeout" if isinstance(error, TimeoutError) else "error"
            self._observer(LimitsUncounted(limits[0].route, reason))
            return None
        if self._outage.succeeded():
            _LOG.info("server.limit_store answers again")
        pairs = zip(limits, said[::2], said[1::2], strict=True)
        return [judge_apart(plan.limit, wait / 1e6, ahead / 1e6) for plan, wait, ahead in pairs]

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _name(plan: RateLimitPlan, key: str) -> str:
    limit = plan.limit
    parts = (plan.route, plan.name, limit.count, limit.seconds, limit.burst, plan.key_text, key)
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return f"proxy-composer:limit:{blake2b(text, digest_size=20).hexdigest()}"


def _numbers(limits: Sequence[RateLimitPlan]) -> list[int]:
    found = []
    for plan in limits:
        interval = ceil(plan.limit.interval_s * 1e6)
        found += [interval, interval * plan.limit.burst]
    return found

"""Active checks: every endpoint is asked in its own rhythm, on a connection of its own."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from random import Random
from ssl import SSLContext

from proxy.errors import GatewayError
from proxy.plan.upstreams import Endpoint, HealthPlan, UpstreamPlan
from proxy.upstream.exchange import UpstreamRequest
from proxy.upstream.http1.pool import Pool

_LOG = logging.getLogger("proxy.upstream")
# So that many gateways, or many endpoints of one, are not asked all at the same moment.
JITTER = 0.1

Checked = Callable[[bool, str], None]
"""Told whether a check passed, and why or why not."""


async def check_forever(
    plan: UpstreamPlan, health: HealthPlan, endpoint: Endpoint, tls: SSLContext | None, rng: Random, checked: Checked
) -> None:
    """Check one endpoint until cancelled. The first check is soon; a result is told within `timeout`."""
    limits = replace(
        plan,
        max_connections=1,
        connect_s=health.timeout_s,
        first_byte_s=health.timeout_s,
        idle_s=health.timeout_s,
        # Every check opens its own connection: that it can be opened is part of what is checked.
        keepalive_s=0,
    )
    pool = Pool(limits, replace(endpoint, base_path=""), tls)
    headers = [("User-Agent", "proxy-composer"), ("Accept", "*/*")]
    if plan.host not in ("upstream", "preserve"):
        headers.append(("Host", plan.host))
    try:
        await asyncio.sleep(health.interval_s * JITTER * rng.random())
        while True:
            request = UpstreamRequest(method="GET", target=health.path, headers=headers, body=None, max_body=0)
            checked(*await _check(pool, health, request))
            await asyncio.sleep(health.interval_s * (1 + JITTER * (2 * rng.random() - 1)))
    finally:
        pool.close()


async def _check(pool: Pool, health: HealthPlan, request: UpstreamRequest) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(health.timeout_s):
            answer = await pool.open(request)
        answer.close()  # its status says it all
    except TimeoutError:
        return False, f"a check had no answer within {health.timeout_s:g} s"
    except GatewayError as error:
        return False, f"a check failed: {error.detail}"
    return answer.status in health.statuses, f"a check was answered with status {answer.status}"

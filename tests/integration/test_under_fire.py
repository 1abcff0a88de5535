"""Reloads and replacements of the process under mixed load. `make fire` is the same with 100, 20 and 500 a second."""

import os
import sys

import pytest

from bench.fire import fire

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="--reuse-port works on Linux only")
RATE = float(os.environ.get("FIRE_RATE", "100"))
RELOADS = int(os.environ.get("FIRE_RELOADS", "6"))
REPLACEMENTS = int(os.environ.get("FIRE_REPLACEMENTS", "2"))


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_nothing_fails_while_the_configuration_and_the_process_are_replaced(workers: str) -> None:
    load = await fire(RATE, RELOADS, REPLACEMENTS, "--workers", workers)
    assert not load.faults
    assert {"composite", "stream", "websocket"} == set(load.done)

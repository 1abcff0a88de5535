"""Real upstream processes are killed, frozen, slowed and corrupted under load: what clients see, what is left.

Each fault has the statuses that it may cause; when it is over, answers are 200 again within `PATIENCE_S` (a bound for a
slow machine: nothing is measured by it), and the gateway has the descriptors and tasks that it had before.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.scenes import Scene, make_scene

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with make_scene(tmp_path) as scene:
        yield scene


@pytest.mark.parametrize(
    "number,statuses", [(signal.SIGKILL, {502}), (signal.SIGSTOP, {504})], ids=["killed", "frozen"]
)
async def test_a_process_that_is_gone_or_frozen(scene: Scene, number: signal.Signals, statuses: set[int]) -> None:
    await scene.recovers()
    before, memory = (scene.descriptors(), await scene.tasks()), scene.memory()
    loading = asyncio.get_running_loop().create_task(scene.load("/page/ok", 100))
    scene.upstream.send(number)
    assert set(await loading) <= {200, *statuses}
    assert set(await scene.load("/page/ok", 20)) == statuses
    assert set(await scene.load("/soft/ok", 20)) == {200}, "the fallback"
    assert set(await scene.load("/passed/ok", 20)) == statuses
    if number is signal.SIGKILL:
        await scene.upstream.end()
        await scene.upstream.start()
    else:
        scene.upstream.send(signal.SIGCONT)
    await scene.recovers()
    await scene.settles_at(*before)
    assert scene.memory() < memory + 20


@pytest.mark.parametrize(
    "what,composed,passed",
    [("silent", 504, 504), ("corrupt", 502, 502), ("cut", 502, 0), ("drip", 504, 200)],
)
async def test_a_process_that_answers_badly(scene: Scene, what: str, composed: int, passed: int) -> None:
    await scene.recovers()
    before, memory = (scene.descriptors(), await scene.tasks()), scene.memory()
    others = asyncio.get_running_loop().create_task(scene.load("/page/ok", 100))
    assert await scene.load(f"/page/{what}", 20) == {composed: 20}
    assert await scene.load(f"/soft/{what}", 20) == {200: 20}
    # What comes slowly but without a pause is passed on; a composite has its own time.
    assert await scene.load(f"/passed/{what}", 10) == {passed: 10}
    assert await others == {200: 100}, "what is asked of the upstream otherwise is not touched"
    await scene.recovers()
    await scene.settles_at(*before)
    assert scene.memory() < memory + 20

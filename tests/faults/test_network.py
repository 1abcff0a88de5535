"""The network between gateway and upstream loses, drops and refuses: in a namespace of its own, where root is given."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TRY = "ip link set lo up && iptables -A INPUT -p tcp --dport 1 -m statistic --mode random --probability 0.1 -j DROP"


def why_not() -> str:
    """Why this machine cannot do it; empty if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "takes root on Linux"
    missing = [name for name in ("unshare", "ip", "iptables") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    tried = subprocess.run(["unshare", "-n", "sh", "-c", _TRY], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"the kernel forbids it: {tried.stderr.decode().strip()}"


REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.mark.parametrize(
    "fault,statuses",
    [
        ("dropped", {504}),
        ("refused", {502}),
        # TCP sends again what was lost; what takes longer than it may is a time-out.
        ("lossy", {200, 504}),
    ],
)
async def test_a_network_that_fails(fault: str, statuses: set[int], tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-n", sys.executable, "-m", "tests.faults.network", str(tmp_path), fault),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(120):
            await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it has started, if it could not end it
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    seen = {name: Counter({int(status): n for status, n in counts.items()}) for name, counts in json.loads(out).items()}
    assert set(seen["during"]) <= {200, *statuses}
    assert set(seen["composed"]) <= statuses
    assert set(seen["passed"]) <= statuses
    assert set(seen["soft"]) == {200}, "the fallback"
    if fault == "lossy":
        assert seen["composed"][200] >= 15

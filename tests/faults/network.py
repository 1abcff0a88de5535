"""What happens when the network between gateway and upstream fails: `python -m tests.faults.network FOLDER FAULT`.

To be run in a network namespace of its own, as root: it sets rules of iptables. Says what it saw as JSON.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.faults.scenes import make_scene

RULES = {
    "dropped": ["-j", "DROP"],
    "refused": ["-j", "REJECT", "--reject-with", "tcp-reset"],
    "lossy": ["-m", "statistic", "--mode", "random", "--probability", "0.05", "-j", "DROP"],
}


def iptables(what: str, port: int, rule: list[str]) -> None:
    # A reset for what the upstream sends would go to the upstream.
    for side in ("--dport",) if "REJECT" in rule else ("--dport", "--sport"):
        subprocess.run(["iptables", what, "INPUT", "-p", "tcp", side, str(port), *rule], check=True)


async def main(folder: Path, fault: str) -> None:
    async with make_scene(folder) as scene:
        await scene.recovers()
        before = scene.descriptors(), await scene.tasks()
        port = scene.upstream.port
        loading = asyncio.get_running_loop().create_task(scene.load("/page/ok", 100))
        iptables("-A", port, RULES[fault])
        during: Counter[int] = await loading
        composed = await scene.load("/page/ok", 30)
        soft = await scene.load("/soft/ok", 20)
        passed = await scene.load("/passed/ok", 20)
        iptables("-D", port, RULES[fault])
        await scene.recovers()
        await scene.settles_at(*before)
        seen = {"during": during, "composed": composed, "soft": soft, "passed": passed}
        print(json.dumps(seen))  # noqa: T201 – for whoever started it


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))

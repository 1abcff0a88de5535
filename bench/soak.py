"""Load for ten minutes, with a fault every few seconds, and a picture of memory, descriptors and tasks.

`python -m bench.soak [--seconds 600] [--rate 100] [--picture docs/soak.svg]`. It fails if a descriptor is left over, or
if memory at the end is far above what it was after the first tenth.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from html import escape
from pathlib import Path

from bench.fire import CONFIG, Gateway, Load, free_port, upstream
from bench.process import memory_mib

_EVERY_S = 1.0
_WIDTH, _HEIGHT, _LEFT = 720, 150, 60
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a; } path { fill: none; stroke: #2f81f7; stroke-width: 1.5; }
.axis { stroke: #9aa4af; } @media (prefers-color-scheme: dark) { text { fill: #a9b3bd; } }
"""
Samples = list[tuple[float, float, int]]


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def soak(seconds: float, rate: float) -> tuple[Samples, Load, int, int]:
    """Samples of (seconds, MiB, descriptors), the load, and the descriptors before and after it."""
    with tempfile.TemporaryDirectory() as name:
        config, port = Path(name) / "routes.yaml", free_port()
        async with upstream() as shop:
            config.write_text(CONFIG.format(shop=shop, number=0))
            gateway = await Gateway.start(config, port, free_port(), log=Path(name) / "log")
            pid = gateway.process.pid
            await _vex(port, 0)
            before = descriptors(pid)
            loop = asyncio.get_running_loop()
            load, samples, started = Load(port, rate), [], loop.time()
            running = loop.create_task(load.run())
            while (now := loop.time() - started) < seconds:
                samples.append((now, memory_mib(pid), descriptors(pid)))
                await _vex(port, len(samples))
                if len(samples) % 10 == 0:
                    config.write_text(CONFIG.format(shop=shop, number=len(samples)))
                await asyncio.sleep(_EVERY_S)
            load.stop()
            await running
            after = await _settled(pid, before, port)
            await gateway.end()
            return samples, load, before, after


async def _vex(port: int, number: int) -> None:
    """A client that goes away in the midst of what it asked for."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /drip HTTP/1.1\r\nHost: x\r\n\r\n"[: 20 if number % 2 else None])
    await asyncio.sleep(0.05)
    writer.transport.abort()


async def _settled(pid: int, before: int, port: int) -> int:
    """The descriptors when idle connections to upstreams have had their time: one goes with each request."""
    for _ in range(100):
        if descriptors(pid) <= before:
            break
        await _vex(port, 0)
        await asyncio.sleep(0.2)
    return descriptors(pid)


def picture(samples: Samples, about: str) -> str:
    """An SVG with memory above and descriptors below."""
    parts = [_curve([(at, mib) for at, mib, _ in samples], "memory, MiB", 0)]
    parts.append(_curve([(at, float(count)) for at, _, count in samples], "descriptors", _HEIGHT + 40))
    height = 2 * (_HEIGHT + 40) + 20
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + _LEFT} {height}" role="img" '
        f'aria-label="Memory and descriptors over time"><style>{_STYLE}</style>'
    )
    return "\n".join([head, *parts, f'<text x="0" y="{height - 6}">{escape(about)}</text>', "</svg>", ""])


def _curve(points: list[tuple[float, float]], title: str, top: int) -> str:
    most, last = max(value for _, value in points) * 1.1, points[-1][0] or 1.0
    bottom = top + 20 + _HEIGHT
    line = " ".join(
        f"{_LEFT + at / last * (_WIDTH - 10):.1f},{bottom - value / most * _HEIGHT:.1f}" for at, value in points
    )
    return (
        f'<text x="{_LEFT}" y="{top + 14}">{escape(title)}</text>'
        f'<text x="0" y="{top + 30}">{most:.0f}</text><text x="0" y="{bottom}">0</text>'
        f'<path class="axis" d="M{_LEFT},{bottom} h{_WIDTH - 10}"/><path d="M{line}"/>'
        f'<text x="{_WIDTH - 20}" y="{bottom + 14}">{last:.0f} s</text>'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--picture", type=Path, default=Path("docs/soak.svg"))
    given = parser.parse_args()
    samples, load, before, after = asyncio.run(soak(given.seconds, given.rate))
    tenth = max(len(samples) // 10, 1)
    early = statistics.median(mib for _, mib, _ in samples[tenth : 2 * tenth] or samples)
    late = statistics.median(mib for _, mib, _ in samples[-tenth:])
    about = (
        f"{given.seconds:.0f} s at {given.rate:.0f} requests/s: {sum(load.done.values())} done, "
        f"{sum(load.faults.values())} failed; {early:.1f} MiB early, {late:.1f} late; descriptors {before} → {after}"
    )
    print(about, dict(load.faults) or "")
    given.picture.write_text(picture(samples, about), "utf-8")
    return 1 if load.faults or after > before or late > early * 1.2 + 5 else 0


if __name__ == "__main__":
    sys.exit(main())

"""What the gateway is to reach, each a ratio within one run, and what it reached."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.cases import BY_HAND, CASES, CONSTANT, GATEWAY, KRAKEND, LUA, NGINX, ROUTES
from bench.results import Run, ratio


@dataclass(frozen=True)
class Target:
    """`reached` gives None for what the run did not measure."""

    text: str
    title: str  # of the case
    bound: float
    unit: str
    reached: Callable[[Run], float | None]
    at_most: bool = False
    by_cpu: Callable[[Run], float | None] = lambda _: None  # the same, by CPU time of a request: less noisy

    def met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    def refused(self, run: Run) -> str:
        """Why the gateway has no figure though the case was run."""
        row = run.row(self.title, GATEWAY)
        return "" if row is None or row.figures else row.note


def _against(text: str, bound: float, case: str, other: str) -> Target:
    """So many times the requests per second of another contestant."""
    title = CASES[case][0].title
    return Target(
        text,
        title,
        bound,
        "×",
        lambda run: ratio(run.row(title, GATEWAY), run.row(title, other), "rate"),
        by_cpu=lambda run: ratio(run.row(title, other), run.row(title, GATEWAY), "cpu_us"),
    )


def _at_most(text: str, bound: float, unit: str, title: str, name: str) -> Target:
    """A figure of the gateway alone."""

    def reached(run: Run) -> float | None:
        row = run.row(title, GATEWAY)
        return None if row is None else row.median(name)

    return Target(text, title, bound, unit, reached, at_most=True)


def _many_routes(run: Run) -> float | None:
    """Time per request, so the rates the other way round."""
    return ratio(run.row(_ROUTES_TITLE + "1", GATEWAY), run.row(_MANY_TITLE, GATEWAY), "rate")


def _many_routes_cpu(run: Run) -> float | None:
    return ratio(run.row(_MANY_TITLE, GATEWAY), run.row(_ROUTES_TITLE + "1", GATEWAY), "cpu_us")


_ROUTES_TITLE = CASES["routes"][0].title + ": "
_MANY_TITLE = f"{_ROUTES_TITLE}{ROUTES:,}"
_STREAM_TITLE = CASES["pass-1g"][0].title

TARGETS = [
    _against("composite, small, to by hand with aiohttp", 5, "small", BY_HAND),
    _against("composite, small, to KrakenD", 1.2, "small", KRAKEND),
    _against("composite, small, to nginx + Lua", 0.6, "small", LUA),
    _against("composite, 200 KB moved whole, to KrakenD", 6, "big-moved", KRAKEND),
    _against("composite, 200 KB moved whole, to nginx + Lua", 6, "big-moved", LUA),
    _against("composite, 200 KB narrowed, to KrakenD", 4, "big-narrowed", KRAKEND),
    _against("pass-through, small, to nginx", 0.45, "pass-small", NGINX),
    _against("pass-through, small, to by hand with aiohttp", 5, "pass-small", BY_HAND),
    _against("pass-through, 1 GiB, to nginx", 0.5, "pass-1g", NGINX),
    _at_most("pass-through, 1 GiB, memory above idle", 32, "MiB", _STREAM_TITLE, "above_idle_mib"),
    _against("composite from the cache, to constant bytes", 0.8, "cached", CONSTANT),
    Target(f"{ROUTES:,} routes, time per request to 1", _MANY_TITLE, 1.1, "×", _many_routes, True, _many_routes_cpu),
    _at_most(f"{ROUTES:,} routes, start", 3, "s", _MANY_TITLE, "start_s"),
    Target("two workers on two cores to one on one", "", 1.8, "×", lambda _: None),
]

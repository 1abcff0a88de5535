"""What is asked, of whom, and which answer is right."""

from dataclasses import dataclass
from typing import Literal

from bench.upstreams import data

GATEWAY, BY_HAND, CONSTANT, NGINX, LUA, KRAKEND, DIRECT = (
    "gateway",
    "by hand",
    "constant",
    "nginx",
    "nginx+lua",
    "krakend",
    "direct",
)
_COMPOSERS = (GATEWAY, BY_HAND, LUA, KRAKEND)
_PASSERS = (GATEWAY, BY_HAND, NGINX, KRAKEND)

RATE = 1000  # requests a second of the case `slow`
IDLE_CONNECTIONS = 10_000
ROUTES = 10_000


@dataclass(frozen=True)
class Case:
    """One thing to ask for. `expected` is a JSON value, or the bytes themselves."""

    name: str
    title: str
    path: str
    expected: object
    config: str  # of this gateway, in bench/routes
    peers: tuple[str, ...]
    connections: int = 64
    kind: Literal["closed", "stream", "steady", "idle", "routes"] = "closed"
    counted: bool = False  # few requests with many calls: a generator that lets the last ones end

    @property
    def body(self) -> bytes:
        """One right answer, as bytes."""
        return self.expected if isinstance(self.expected, bytes) else data.encode(self.expected)


def order(name: str, how: str, lines: int) -> Case:
    """An order whose lines get their products' names: by a request for each, in batches of 50, or kept from before."""
    way = {"each": "a call for each", "batch": "calls in batches of 50", "cached": "the products kept by key"}
    title = f"{name} of {lines} lines, {way[how]}"
    peers = (GATEWAY,) if how == "cached" else (GATEWAY, BY_HAND, LUA)
    expected = data.named_lines(lines)
    return Case(name, title, f"/orders/{how}/{lines}", expected, "fan-out.yaml", peers, connections=4, counted=True)


_ALL = [
    Case(
        "small",
        "composite, small: two calls, one answer",
        "/user-products/1",
        data.composite(),
        "routes.yaml",
        (GATEWAY, BY_HAND, CONSTANT, LUA, KRAKEND),
    ),
    Case(
        "three-way",
        "composite: one call, then two that need it",
        "/profile/1",
        {**data.ACCOUNT, **data.TEAM, **data.PLAN},
        "three-way.yaml",
        _COMPOSERS,
    ),
    Case(
        "big-moved",
        "composite, 200 KB list moved whole",
        "/catalog/moved/1",
        data.moved(),
        "catalog.yaml",
        _COMPOSERS,
        connections=16,
    ),
    Case(
        "big-narrowed",
        "composite, 200 KB list narrowed to two fields",
        "/catalog/narrowed/1",
        data.narrowed(),
        "catalog.yaml",
        _COMPOSERS,
        connections=16,
    ),
    *(order("join", how, 100) for how in ("each", "batch")),
    Case("pass-small", "pass-through, small", "/users/1", data.USER, "pass.yaml", _PASSERS),
    Case("pass-1m", "pass-through, 1 MiB", "/files/1m", bytes(data.MIB), "pass.yaml", _PASSERS, connections=8),
    Case("pass-1g", "pass-through, 1 GiB", "/files/1g", b"", "pass.yaml", _PASSERS, connections=1, kind="stream"),
    Case(
        "cached",
        "composite, small, from the cache",
        "/user-products/1",
        data.composite(),
        "cached.yaml",
        (GATEWAY, CONSTANT),
    ),
    Case("routes", f"{ROUTES:,} routes against 1", "/hello/1", {"hello": 1}, "", (GATEWAY,), kind="routes"),
    Case(
        "slow",
        f"composite, one call of 100 ms, at {RATE:,} requests/s",
        "/slow/1",
        data.composite(),
        "slow.yaml",
        (GATEWAY, BY_HAND, LUA, KRAKEND, DIRECT),
        connections=400,
        kind="steady",
    ),
    Case(
        "idle",
        f"{IDLE_CONNECTIONS:,} idle connections",
        "/users/1",
        data.USER,
        "pass.yaml",
        (GATEWAY, NGINX),
        kind="idle",
    ),
    *(order("fan-out", how, lines) for lines in data.SIZES_OF_ORDERS for how in ("each", "batch", "cached")),
]

CASES: dict[str, list[Case]] = {}
for _case in _ALL:
    CASES.setdefault(_case.name, []).append(_case)

# What `make bench` runs; the rest takes long and is asked for by name.
USUAL = [name for name in CASES if name != "fan-out"]

"""Starts the contestants of a case, each listening on a port of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench import nginx
from bench.cases import BY_HAND, CONSTANT, DIRECT, GATEWAY, KRAKEND, LUA, NGINX, Case
from bench.peers import krakend, nginx_http
from bench.process import free_port, running
from bench.upstreams.start import Upstream

ROOT = Path(__file__).parents[2]

TITLES = {
    GATEWAY: "this gateway",
    BY_HAND: "aiohttp + ClientSession by hand",
    CONSTANT: "aiohttp, constant bytes",
    NGINX: "nginx proxy_pass",
    LUA: "nginx + Lua + cjson by hand",
    KRAKEND: "KrakenD",
    DIRECT: "the upstream itself",
}


@dataclass(frozen=True)
class Place:
    """Where the run happens."""

    folder: Path
    upstream: Upstream
    peer_core: int | None
    other_core: int | None


@dataclass(frozen=True)
class Peer:
    """A contestant that runs; `pid` is 0 if it is none of ours."""

    key: str
    port: int
    pid: int


class LeftOut(Exception):
    """Why a contestant does not take part."""


def start(key: str, case: Case, place: Place) -> AbstractContextManager[Peer]:
    """The contestant `key` of a case. Raises LeftOut."""
    return _STARTERS[key](case, place)


def gateway_config(case: Case, place: Place) -> Path:
    """A copy, since the gateway watches its file; and the file of this repository stays as it is."""
    source = ROOT / case.config if case.config == "routes.yaml" else ROOT / "bench/routes" / case.config
    config = place.folder / "gateway.yaml"
    config.write_text(source.read_text("utf-8"), "utf-8")
    return config


def check_config(config: Path, place: Place) -> None:
    """Raises LeftOut if this gateway refuses the file, as one of an older version refuses newer keys."""
    command = [sys.executable, "-m", "proxy", "check", str(config)]
    env = {**os.environ, **_urls(place)}
    checked = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if checked.returncode:
        raise LeftOut("not available: " + checked.stdout.partition("\n")[0].partition(": ")[2].partition(" [")[0])


def _urls(place: Place) -> dict[str, str]:
    return dict.fromkeys(("UPSTREAM", "USERS_URL", "PRODUCTS_URL"), place.upstream.url)


@contextmanager
def serve(config: Path, place: Place, wrapper: tuple[str, ...] = (), patience_s: float = 60) -> Iterator[Peer]:
    """This gateway as shipped: access log (to /dev/null) and metrics on."""
    port, admin = free_port(), free_port()
    arguments = ["serve", "--config", str(config), "--port", str(port), "--admin-port", str(admin)]
    command = [*wrapper, sys.executable, "-m", "proxy", *arguments]
    with running(command, port, _urls(place), place.peer_core, patience_s) as pid:
        yield Peer(GATEWAY, port, pid)


def _gateway(case: Case, place: Place) -> AbstractContextManager[Peer]:
    config = gateway_config(case, place)
    check_config(config, place)
    return serve(config, place)


@contextmanager
def handwritten(_: Case, place: Place, wrapper: tuple[str, ...] = (), patience_s: float = 60) -> Iterator[Peer]:
    port = free_port()
    env = {"PORT": str(port), "UPSTREAM": place.upstream.url}
    command = [*wrapper, sys.executable, "-m", "bench.peers.handwritten"]
    with running(command, port, env, place.peer_core, patience_s) as pid:
        yield Peer(BY_HAND, port, pid)


@contextmanager
def _constant(case: Case, place: Place) -> Iterator[Peer]:
    port = free_port()
    body = place.folder / "constant"
    body.write_bytes(case.body)
    env = {"PORT": str(port), "BODY": str(body)}
    with running([sys.executable, "-m", "bench.peers.constant"], port, env, place.peer_core) as pid:
        yield Peer(CONSTANT, port, pid)


@contextmanager
def _any_nginx(key: str, http: Callable[[int, int], str], place: Place, *, lua: bool) -> Iterator[Peer]:
    if why := nginx.missing(lua=lua):
        raise LeftOut(why)
    port = free_port()
    command = nginx.command(place.folder / key, http(place.upstream.port, port), lua=lua)
    with running(command, port, {}, place.peer_core) as pid:
        yield Peer(key, port, pid)


def _nginx(_: Case, place: Place) -> AbstractContextManager[Peer]:
    return _any_nginx(NGINX, nginx_http.passing, place, lua=False)


def _lua(_: Case, place: Place) -> AbstractContextManager[Peer]:
    return _any_nginx(LUA, nginx_http.composing, place, lua=True)


@contextmanager
def _krakend(case: Case, place: Place) -> Iterator[Peer]:
    binary = os.environ.get("KRAKEND")
    if not binary or shutil.which(binary) is None:
        raise LeftOut("KRAKEND does not name a KrakenD binary")
    port = free_port()
    config = place.folder / "krakend.json"
    config.write_text(krakend.config(case, place.upstream.url, port), "utf-8")
    with running([binary, "run", "-c", str(config)], port, {"GOMAXPROCS": "1"}, place.peer_core) as pid:
        yield Peer(KRAKEND, port, pid)


def _direct(_: Case, place: Place) -> AbstractContextManager[Peer]:
    return nullcontext(Peer(DIRECT, place.upstream.port, 0))


_STARTERS: dict[str, Callable[[Case, Place], AbstractContextManager[Peer]]] = {
    GATEWAY: _gateway,
    BY_HAND: handwritten,
    CONSTANT: _constant,
    NGINX: _nginx,
    LUA: _lua,
    KRAKEND: _krakend,
    DIRECT: _direct,
}

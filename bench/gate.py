"""What the gate costs: routes with a token, limits, CORS, validation … beside the same route without, in one process.

`python -m bench.gate [--rounds 15] [--requests 1000] [--redis redis://127.0.0.1:6379/0]`. One connection, requests one
after the other, the routes in turn; what is compared is the CPU time that the gateway takes for each.
"""

import argparse
import json
import socket
import statistics
import sys
import tempfile
from base64 import urlsafe_b64encode
from contextlib import ExitStack
from pathlib import Path

from bench.process import free_port, running

_SCHEMA = "{type: object, required: [n], properties: {n: {type: integer}, tags: {type: array, items: {type: string}}}}"
_ROUTES = {
    "plain": "",
    "token": "auth: shop,",
    "limit": "rate_limit: 1000000/1s,",
    "cors": "cors: 'https://app.example.com',",
    "token, limit, cors": "auth: shop, rate_limit: {rate: 1000000/1s, key: $.claims.sub}, cors: 'https://app.example.com',",
    "outside": "security_headers: true, limits: {headers: 8KiB}, ip: {deny: [192.0.2.0/24]},",
    "concurrency": "concurrency: 1000,",
    "validate": f"validate: {{body: {_SCHEMA}}},",
}
_BODY = json.dumps({"n": 1, "tags": ["a"] * 20}).encode()


def main() -> int:
    """Measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--redis", help="count the limits there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        token, jwks = _issue()
        upstream, port = free_port(), free_port()
        config = Path(folder) / "routes.yaml"
        config.write_text(_config(upstream, jwks, arguments.redis))
        python = [sys.executable, "-m"]
        stack.enter_context(running([*python, "bench.upstreams.constant", str(upstream)], upstream, {}, None))
        serve = [
            *python,
            "proxy",
            "serve",
            "--config",
            str(config),
            "--port",
            str(port),
            "--admin-port",
            "0",
            "--no-access-log",
        ]
        pid = stack.enter_context(running(serve, port, {}, None))
        found: dict[str, list[float]] = {name: [] for name in _ROUTES}
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for name in _ROUTES:
                _ask(connection, name, token, 200)
            for _ in range(arguments.rounds):
                for name in _ROUTES:
                    before = _cpu_s(pid)
                    _ask(connection, name, token, arguments.requests)
                    found[name].append((_cpu_s(pid) - before) / arguments.requests * 1e6)
    for name, micros in found.items():
        ratios = [one / plain for one, plain in zip(micros, found["plain"], strict=True)]
        spread = f"({min(ratios):.2f}–{max(ratios):.2f})"
        print(f"{name:20} {statistics.median(micros):6.1f} µs  {statistics.median(ratios):.2f} x {spread}")
    return 0


def _config(upstream: int, jwks: str, redis: str | None) -> str:
    store = f"server: {{limit_store: '{redis}', limit_timeout: 1s}}\n" if redis else ""
    routes = "".join(
        f"  - {{name: r{index}, match: POST /r{index}, {keys} proxy: u}}\n"
        for index, keys in enumerate(_ROUTES.values())
    )
    return (
        f"version: 1\n{store}upstreams: {{u: 'http://127.0.0.1:{upstream}'}}\n"
        f"auth: {{shop: {{type: jwt, audience: shop, jwks: '{jwks}'}}}}\nroutes:\n{routes}"
    )


def _issue() -> tuple[str, str]:
    """A token, and the key set that it can be checked with."""
    import jwt  # noqa: PLC0415 (an extra)
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from jwt.algorithms import ECAlgorithm  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    claims = {
        "sub": "ann",
        "aud": "shop",
        "exp": 4_000_000_000,
        "scope": urlsafe_b64encode(bytes(60)).decode(),
    }
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k"}
    return jwt.encode(claims, key, "ES256", headers={"kid": "k"}), json.dumps({"keys": [public]})


def _ask(connection: socket.socket, name: str, token: str, count: int) -> None:
    index = list(_ROUTES).index(name)
    head = (
        f"POST /r{index} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nOrigin: https://app.example.com\r\n"
        f"User-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n\r\n"
    )
    request = head.encode() + _BODY
    for _ in range(count):
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"\r\n\r\nok"):
            piece = connection.recv(65536)
            if not piece:
                raise SystemExit("the gateway closed the connection")
            answer += piece
        if b" 200 " not in answer[:16]:
            raise SystemExit(f"{name} answered {answer[:200]!r}")


def _cpu_s(pid: int) -> float:
    """Time of a process's main thread: in nanoseconds, where `cpu_seconds` counts in hundredths of a second."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


if __name__ == "__main__":
    sys.exit(main())

"""An issuer of tokens: real keys, and a real server that publishes them and can be told to fail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm


class Issuer:
    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.asked = 0
        self.answer: web.Response | None = None
        self.url = ""
        self.rotate("k1")

    def rotate(self, kid: str) -> None:
        """From now on there is this key, and no other."""
        self.keys = {kid: ec.generate_private_key(ec.SECP256R1())}

    def token(self, **claims: Any) -> str:
        (kid, key), *_ = self.keys.items()
        return jwt.encode({"sub": "ann", "exp": 4_000_000_000, **claims}, key, "ES256", headers={"kid": kid})

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked += 1
        if self.answer is not None:
            answer, self.answer = self.answer, None
            return answer
        return web.json_response(
            {"keys": [{**ECAlgorithm.to_jwk(k.public_key(), as_dict=True), "kid": n} for n, k in self.keys.items()]}
        )


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    async with RawTestServer(issuer.serve) as server:
        issuer.url = str(server.make_url("/keys"))
        yield issuer

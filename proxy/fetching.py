"""Documents of issuers: from where the configuration says, and from nowhere else."""

from collections.abc import Mapping
from urllib.parse import quote_plus

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, encode_basic_auth

_MAX_BYTES = 512 * 1024
_TIMEOUT_S = 5.0


class NotFetched(ValueError):
    """There is an answer, and it is not what was asked for. `status` is the answer's; its body is not repeated."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


async def fetch(url: str, form: Mapping[str, str] | None = None, client: tuple[str, str] | None = None) -> bytes:
    """The document there, or what a form that is posted there by a client (id, secret) is answered by.

    Redirects are not followed. Id and secret are encoded as RFC 6749 §2.3.1 has it.

    Raises `NotFetched`, and whatever aiohttp raises where there is no answer (`ClientError`, OSError, TimeoutError).
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if client is not None:
        headers["Authorization"] = encode_basic_auth(*map(quote_plus, client))
    timeout = ClientTimeout(total=_TIMEOUT_S)
    async with (
        ClientSession(timeout=timeout, cookie_jar=DummyCookieJar(), auto_decompress=False) as session,
        session.request(
            "GET" if form is None else "POST", url, data=form, allow_redirects=False, headers=headers
        ) as response,
    ):
        if response.status != 200:
            raise NotFetched(f"status {response.status}", response.status)
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > _MAX_BYTES:
                raise NotFetched("the document is too large")
        return bytes(body)

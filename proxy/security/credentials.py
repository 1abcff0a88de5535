"""Credentials that the configuration knows by their hashes: API keys, and users with passwords (RFC 7617)."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable
from hashlib import sha256
from hmac import compare_digest

from proxy.message import Request, Response
from proxy.plan.auth import ApiKeysPlan, BasicPlan, Claims
from proxy.policy.jws import TokenRefused
from proxy.target import split_query


class AnsweredInstead(Exception):
    """Whoever was asked who this is has an answer for the client of its own."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


Identify = Callable[[Request], Awaitable[Claims | None]]
"""Who asks: None where there is no credential of this kind. Raises `TokenRefused` for one that proves nothing, or
`AnsweredInstead`."""


def one_header(request: Request, name: str) -> str | None:
    """The value of a header that stands once: of two, the upstream might believe the other."""
    values = request.headers.getall(name, ())
    if len(values) > 1:
        raise TokenRefused("there are several")
    return values[0] if values else None


def authorization(request: Request, scheme: str, header: str = "Authorization") -> str | None:
    """The credentials of this scheme (RFC 9110 §11.4), None where there are none or of another one."""
    value = one_header(request, header)
    if value is None:
        return None
    said, _, rest = value.partition(" ")
    return rest.strip(" ") if said.lower() == scheme else None


Find = Callable[[bytes], Awaitable[Claims | None]]
"""Of the SHA-256 of a key: whose it is."""


def api_keys(plan: ApiKeysPlan, find: Find | None = None) -> Identify:
    """Who has a key; `find` knows more. Looked up by hash: how long that takes says nothing about any key."""

    async def identify(request: Request) -> Claims | None:
        key = _presented(plan, request)
        if key is None:
            return None
        digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
        holder = plan.holders.get(digest)
        if holder is None and find is not None:
            holder = await find(digest)
        if holder is None:
            raise TokenRefused("the key is not known")
        return holder

    return identify


def _presented(plan: ApiKeysPlan, request: Request) -> str | None:
    if plan.header is not None:
        return one_header(request, plan.header)
    if not request.query:
        return None
    values = [value for name, value in split_query(request.query) if name == plan.query]
    if len(values) > 1:
        raise TokenRefused("there are several")
    return values[0] if values else None


_NOBODY: tuple[bytes, Claims] = (bytes(32), {})


def basic(plan: BasicPlan) -> Identify:
    """Who has a user's password. An unknown user takes as long as a wrong password."""

    async def identify(request: Request) -> Claims | None:
        given = authorization(request, "basic")
        if given is None:
            return None
        try:
            user, colon, password = b64decode(given, validate=True).decode().partition(":")
        except (NotBase64, ValueError):
            raise TokenRefused("user and password cannot be read") from None
        digest, claims = plan.users.get(user, _NOBODY)
        right = compare_digest(digest, sha256(password.encode()).digest())
        if not (right and colon and claims):
            raise TokenRefused("user or password is wrong")
        return claims

    return identify

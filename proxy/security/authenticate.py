"""The layer of a route with `auth`: nobody passes who is not known, and what they get is theirs alone."""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

from proxy.errors import GatewayError, Unauthorized
from proxy.message import Request, Response
from proxy.policy.jws import TokenRefused
from proxy.security.credentials import AnsweredInstead, Identify
from proxy.service import Layer, Service

# Told to caches between us and the client, past Cache-Control (RFC 9213).
_PAST = ("CDN-Cache-Control", "Surrogate-Control")


def authenticated(providers: Sequence[tuple[Identify, str]], headers: tuple[str, ...]) -> Layer:
    """Any one provider will do. Each comes with its challenge (RFC 9110 §11.6.1); credentials stand in `headers`."""

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def authenticate(request: Request) -> Response:
            refused, failed, instead = "", None, None
            for identify, _ in providers:
                try:
                    claims = await identify(request)
                except TokenRefused as error:
                    refused = refused or str(error)
                    continue
                except GatewayError as error:  # another provider may do all the same
                    failed = failed or error
                    continue
                except AnsweredInstead as error:
                    instead = instead or error.response
                    continue
                if claims is not None:
                    request.claims = claims
                    break
            else:
                if failed is not None:
                    raise failed
                if instead is not None:
                    return instead
                raise _unauthorized([challenge for _, challenge in providers if challenge], refused)
            response = await inner(request)
            keep_private(response, headers)
            return response

        return authenticate

    return layer


def _unauthorized(challenges: list[str], refused: str) -> Unauthorized:
    if refused:  # RFC 6750 §3.1
        challenges = [f'{one}, error="invalid_token"' if one.startswith("Bearer ") else one for one in challenges]
    detail = f"the credential is refused: {refused}" if refused else "this needs a credential"
    return Unauthorized(detail, headers={"WWW-Authenticate": ", ".join(challenges), "Cache-Control": "no-store"})


def keep_private(response: Response, names: tuple[str, ...]) -> None:
    """No shared cache on the way may keep the answer, whatever the upstream says (RFC 9111 §5.2.2.7).

    Only of `Authorization` would it know; not of a key in another header, in a cookie or in the query.
    """
    headers = response.headers
    headers["Cache-Control"] = _private(",".join(headers.getall("Cache-Control", ())))
    for name in _PAST:
        if name in headers:
            del headers[name]
    if names:
        headers["Vary"] = _varying(",".join(headers.getall("Vary", ())), names)


@lru_cache(maxsize=256)  # upstreams say few different things
def _private(said: str) -> str:
    words = [word for part in said.split(",") if (word := part.strip())]
    if "no-store" in {word.lower() for word in words}:
        return said
    shared = ("public", "private", "s-maxage")
    return ", ".join(["private", *[word for word in words if word.lower().partition("=")[0].strip() not in shared]])


@lru_cache(maxsize=256)
def _varying(said: str, names: tuple[str, ...]) -> str:
    there = {part.strip().lower() for part in said.split(",")}
    more = [] if "*" in there else [name for name in names if name.lower() not in there]
    return ", ".join([*([said] if said else []), *more])

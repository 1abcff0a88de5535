"""Logins at an issuer (OpenID Connect Core 1.0 §3.1, PKCE of RFC 7636) and the cookie that remembers them.

The cookie is the whole session: nothing is kept here, so every worker and machine with the same secret knows it.
"""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from os import urandom
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientError
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.clock import unix_seconds
from proxy.document import InvalidJson, decode_json
from proxy.errors import BadRequest, Forbidden, IssuerUnavailable, LoginFailed
from proxy.fetching import NotFetched, fetch
from proxy.message import Request, Response, connection_options
from proxy.plan.auth import Claims, OidcPlan
from proxy.policy.claims import Rules, check_claims
from proxy.policy.jws import TokenRefused, UnknownKey, open_token
from proxy.security.credentials import AnsweredInstead
from proxy.security.discovery import Discovery, Issuer
from proxy.security.sealing import Sealed
from proxy.security.sources import Sources
from proxy.service import Layer, Service
from proxy.target import split_query

_LOG = logging.getLogger("proxy.security.login")
_LOGIN_S = 600.0
# What browsers keep of one cookie, with its name and attributes (RFC 6265 §6.1).
_LARGEST_COOKIE = 4000
_LONGEST_RETURN = 1500
# Of the protocol, and of nobody's interest afterwards.
_PROTOCOL = frozenset(
    {"iss", "aud", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "s_hash", "azp", "sid", "jti", "auth_time"}
)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KEY_COOLDOWN_S = 30.0


class Login:
    """One provider: who has logged in, how one does, and where it ends."""

    def __init__(self, plan: OidcPlan, sources: Sources) -> None:
        self._plan = plan
        self._sources = sources
        self._discovery: Discovery = sources.discovery(plan.issuer)
        self._sessions = Sealed(plan.keys, f"session {plan.name}")
        self._logins = Sealed(plan.keys, f"login {plan.name}")
        self._rules = Rules(frozenset([plan.issuer]), frozenset([plan.client_id]), plan.leeway_s)

    async def identify(self, request: Request) -> Claims | None:
        """Who has logged in. A browser that goes to a page is sent to do so; anything else is not known."""
        session = self._session(request)
        if session is not None:
            _refuse_foreign_pages(request)
            return session
        if _is_navigation(request):
            raise AnsweredInstead(await self._begin(request))
        return None

    def _session(self, request: Request) -> Claims | None:
        cookies = read_cookies(request).get(self._cookie(request), [])
        if len(cookies) > 1:
            raise TokenRefused("there are several sessions")
        opened = self._sessions.open(cookies[0]) if cookies else None
        if opened is None or unix_seconds() >= opened["until"]:
            return None
        claims: dict[str, Any] = opened["claims"]
        return claims

    async def _begin(self, request: Request) -> Response:
        issuer = await self._discovery.find()
        state, nonce, verifier = _random(), _random(), _random()
        query = f"?{request.query}" if request.has_query else ""
        back = f"{request.path}{query}"
        login = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "to": back if len(back) <= _LONGEST_RETURN else "/",
            "until": unix_seconds() + _LOGIN_S,
        }
        asked = {
            "response_type": "code",
            "client_id": self._plan.client_id,
            "redirect_uri": self._here(request) + self._plan.callback,
            "scope": " ".join(self._plan.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _unpadded(sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in issuer.authorization else "?"
        headers = CIMultiDict(
            {"Location": f"{issuer.authorization}{mark}{urlencode(asked)}", "Cache-Control": "no-store"}
        )
        # One for each, so that logins in several tabs do not disturb each other.
        headers.add("Set-Cookie", self._login_cookie(request, state, self._logins.seal(login), _LOGIN_S))
        return Response(302, headers)

    async def callback(self, request: Request) -> Response:
        """The browser comes back from the issuer (§3.1.2.5). Raises what is wrong with that."""
        answer = _single(request)
        state = answer.get("state", "")
        login = self._begun(request, state)
        if login is None:
            raise BadRequest("this login was not begun here, or too long ago: begin again", headers=_NO_STORE)
        issuer = await self._discovery.find()
        if answer.get("iss", self._plan.issuer) != self._plan.issuer:  # RFC 9207
            raise LoginFailed("the answer is of another issuer")
        if "code" not in answer:
            raise Forbidden("the identity provider has let nobody in", headers=_NO_STORE)
        claims = await self._redeem(request, issuer, answer["code"], login)
        kept = self._plan.kept
        told = {
            name: value
            for name, value in claims.items()
            if (name in kept or name == "sub" if kept is not None else name not in _PROTOCOL)
        }
        session = self._sessions.seal({"claims": told, "until": unix_seconds() + self._plan.lifetime_s})
        if len(session) > _LARGEST_COOKIE:
            raise LoginFailed("there is more to remember than a browser keeps: name fewer session.claims")
        headers = CIMultiDict({"Location": login["to"], "Cache-Control": "no-store"})
        headers.add("Set-Cookie", self._session_cookie(request, session, self._plan.lifetime_s))
        headers.add("Set-Cookie", self._login_cookie(request, state, "", 0))
        return Response(303, headers)

    def _begun(self, request: Request, state: str) -> dict[str, Any] | None:
        """The login that this browser has begun with this state."""
        cookies = read_cookies(request).get(self._login_name(request, state), [])
        login = self._logins.open(cookies[0]) if len(cookies) == 1 else None
        if login is None or not compare_digest(login["state"].encode(), state.encode("utf-8", "surrogateescape")):
            return None
        return login if unix_seconds() < login["until"] else None

    async def _redeem(self, request: Request, issuer: Issuer, code: str, login: Mapping[str, Any]) -> dict[str, Any]:
        """The claims of the ID token that a code is good for (§3.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._here(request) + self._plan.callback,
            "code_verifier": login["verifier"],
        }
        client = None
        if self._plan.client_secret is None:
            form["client_id"] = self._plan.client_id
        else:
            client = self._plan.client_id, self._plan.client_secret
        try:
            answer = decode_json(await fetch(issuer.token, form, client))
        except NotFetched as error:
            _LOG.warning("a code was not taken by %s: %s", self._plan.issuer, error)
            if error.status in (400, 401, 403):
                raise LoginFailed("the identity provider does not take the code") from None
            raise IssuerUnavailable from None
        except (ClientError, OSError, TimeoutError, InvalidJson) as error:
            _LOG.warning("%s could not be asked: %s", self._plan.issuer, type(error).__name__)
            raise IssuerUnavailable from None
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise LoginFailed("the identity provider has not said who it is")
        return await self._read_token(token, issuer, login["nonce"])

    async def _read_token(self, token: str, issuer: Issuer, nonce: str) -> dict[str, Any]:
        """§3.1.3.7"""
        ring = self._sources.ring(issuer.jwks)
        try:
            try:
                claims = open_token(token, ring.keys, self._plan.algorithms)
            except UnknownKey:
                await ring.look_again(_KEY_COOLDOWN_S)
                claims = open_token(token, ring.keys, self._plan.algorithms)
            check_claims(claims, self._rules, unix_seconds())
        except TokenRefused as error:
            raise LoginFailed(f"the ID token is refused: {error}") from None
        said, party = claims.get("nonce"), claims.get("azp", self._plan.client_id)
        if not isinstance(said, str) or not compare_digest(said.encode(), nonce.encode()):
            raise LoginFailed("the ID token is of another login")
        if party != self._plan.client_id or not isinstance(claims.get("sub"), str):
            raise LoginFailed("the ID token is for somebody else, or about nobody")
        return claims

    async def logout(self, request: Request) -> Response:
        """Forget who it is, here and at the issuer (RP-Initiated Logout 1.0)."""
        _refuse_foreign_pages(request, navigations=True)
        headers = CIMultiDict({"Cache-Control": "no-store", "Location": self._here(request) + "/"})
        try:
            issuer = await self._discovery.find()
        except IssuerUnavailable:
            issuer = None
        if issuer is not None and issuer.end_session:
            asked = {"client_id": self._plan.client_id, "post_logout_redirect_uri": self._here(request) + "/"}
            mark = "&" if "?" in issuer.end_session else "?"
            headers["Location"] = f"{issuer.end_session}{mark}{urlencode(asked)}"
        headers.add("Set-Cookie", self._session_cookie(request, "", 0))
        return Response(303, headers)

    def _here(self, request: Request) -> str:
        return self._plan.base_url or f"{request.scheme}://{request.host}"

    def _is_secure(self, request: Request) -> bool:
        return self._here(request).startswith("https:")

    def _cookie(self, request: Request) -> str:
        return f"__Host-{self._plan.cookie}" if self._is_secure(request) else self._plan.cookie

    def _login_name(self, request: Request, state: str) -> str:
        name = f"{self._plan.cookie}-login-{state[:16]}"
        return f"__Secure-{name}" if self._is_secure(request) else name

    def _session_cookie(self, request: Request, value: str, lifetime_s: float) -> str:
        return self._written(request, self._cookie(request), value, "/", lifetime_s)

    def _login_cookie(self, request: Request, state: str, value: str, lifetime_s: float) -> str:
        return self._written(request, self._login_name(request, state), value, self._plan.callback, lifetime_s)

    def _written(self, request: Request, name: str, value: str, path: str, lifetime_s: float) -> str:
        secure = "; Secure" if self._is_secure(request) else ""
        # Lax: the browser comes back from the issuer by a link, and has to bring it along.
        return f"{name}={value}; Path={path}; Max-Age={int(lifetime_s)}; HttpOnly; SameSite=Lax{secure}"


_NO_STORE = {"Cache-Control": "no-store"}


def _is_navigation(request: Request) -> bool:
    """Whether a person looks at what comes: nothing else can log in."""
    if request.method != "GET" or "Upgrade" in request.headers:
        return False
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    return "text/html" in request.headers.get("Accept", "")


def _refuse_foreign_pages(request: Request, *, navigations: bool = False) -> None:
    """A cookie comes along whoever asks for it: what changes something, or stays open, is for our own pages only."""
    if request.method in _SAFE and not navigations and "upgrade" not in connection_options(request.headers):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or origin == f"{request.scheme}://{request.host}"
    if not allowed:
        raise Forbidden("a page of another site may not", headers=_NO_STORE)


def read_cookies(request: Request) -> dict[str, list[str]]:
    """The values of each cookie (RFC 6265 §5.4), as they came."""
    found: dict[str, list[str]] = {}
    for line in request.headers.getall("Cookie", ()):
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            found.setdefault(name, []).append(value)
    return found


def own_cookies_kept(names: Mapping[str, str]) -> Layer | None:
    """The cookies of logins (by name) are for nobody behind us. None where there are no logins."""
    if not names:
        return None

    def layer(inner: Service) -> Callable[[Request], Awaitable[Response]]:
        async def cleaned(request: Request) -> Response:
            if "Cookie" in request.headers:
                request.headers = _without_cookies(request, names)
            return await inner(request)

        return cleaned

    return layer


def _without_cookies(request: Request, names: Mapping[str, str]) -> CIMultiDictProxy[str]:
    kept = []
    for line in request.headers.getall("Cookie"):
        pairs = [pair.strip() for pair in line.split(";")]
        kept += [pair for pair in pairs if pair and not _is_ours(pair.partition("=")[0], names)]
    others = [(name, value) for name, value in request.headers.items() if name.lower() != "cookie"]
    if kept:
        others.append(("Cookie", "; ".join(kept)))
    return CIMultiDictProxy(CIMultiDict(others))


def _is_ours(name: str, names: Mapping[str, str]) -> bool:
    plain = name.strip().removeprefix("__Host-").removeprefix("__Secure-")
    return plain.partition("-login-")[0] in names


def _single(request: Request) -> dict[str, str]:
    """The parameters of the answer; one that stands twice means nothing (RFC 6749 §3.1)."""
    pairs = split_query(request.query)
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadRequest("a parameter stands twice", headers=_NO_STORE)
    return dict(pairs)


def _random() -> str:
    return _unpadded(urandom(32))


def _unpadded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")

"""`auth` of type `oidc`: an issuer, the cookie of a session, and the two paths that a login needs."""

import re
from collections.abc import Iterable
from hashlib import sha256
from importlib.util import find_spec
from urllib.parse import urlsplit

from proxy.config.auth import Auth
from proxy.plan.auth import LoginPlan, OidcPlan, ProviderPlan
from proxy.plan.nodes import RoutePlan
from proxy.plan.pattern import parse_pattern
from proxy.plan.routing import MatchRule
from proxy.plan.stores import warn_of_plain
from proxy.policy.jws import ALGORITHMS, DEFAULT_ALGORITHMS
from proxy.problems import Place
from proxy.target import is_http_url

SHORTEST_SECRET = 32
_PATH = re.compile(r"(?:/[A-Za-z0-9_~.-]+)+")
_TIMEOUT_S = 30.0


def compile_oidc(name: str, auth: Auth, place: Place) -> OidcPlan | None:
    """None after reporting a problem."""
    if find_spec("jwt") is None or find_spec("cryptography") is None:
        (place / "type").problem(
            "missing-extra", "logins need packages that are not installed", "pip install 'proxy-composer[jwt]'"
        )
        return None
    before = len([one for one in place.found if one.severity == "error"])
    issuer = auth.issuer[0] if auth.issuer and len(auth.issuer) == 1 else ""
    if not is_http_url(issuer) or "?" in issuer:
        here = place / "issuer" if auth.issuer else place
        here.problem("bad-url", "an issuer is one URL", "write issuer: https://idp.example.com", at_key=not auth.issuer)
    else:
        warn_of_plain(issuer, place / "issuer")
    if not auth.client_id:
        place.problem("missing-key", "'client_id' is missing", "write what the issuer calls this gateway")
    if auth.base_url is not None and (not is_http_url(auth.base_url) or urlsplit(auth.base_url).path not in ("", "/")):
        (place / "base_url").problem("bad-url", f"{auth.base_url!r} is no origin", "write https://shop.example.com")
    for key in ("callback", "logout"):
        path = getattr(auth, key)
        if not _PATH.fullmatch(path) or "/." in path:
            (place / key).problem("bad-url", f"{path!r} is not a path", "write /oauth2/callback")
    for index, algorithm in enumerate(auth.algorithms or ()):
        if algorithm not in ALGORITHMS:
            what = f"{algorithm!r} is not an algorithm of public keys"
            (place / "algorithms" / index).problem("bad-algorithm", what, f"known are {', '.join(ALGORITHMS)}")
    if auth.session is None:
        place.problem("missing-key", "'session' is missing", "write session: {secret: '${secret.session}'}")
        return None
    for index, secret in enumerate(auth.session.secret):
        if len(secret) < SHORTEST_SECRET:
            here = (
                place / "session" / "secret" / index if len(auth.session.secret) > 1 else place / "session" / "secret"
            )
            here.problem("bad-secret", f"a secret has {SHORTEST_SECRET} characters at least", "openssl rand -hex 32")
    if len([one for one in place.found if one.severity == "error"]) > before:
        return None
    return OidcPlan(
        name=name,
        issuer=issuer,
        client_id=auth.client_id or "",
        client_secret=auth.client_secret,
        scopes=tuple(dict.fromkeys(["openid", *(("profile", "email") if auth.scopes is None else auth.scopes)])),
        algorithms=frozenset(auth.algorithms or DEFAULT_ALGORITHMS),
        leeway_s=30.0 if auth.leeway is None else auth.leeway,
        base_url=None if auth.base_url is None else auth.base_url.rstrip("/"),
        callback=auth.callback,
        logout=auth.logout,
        cookie=auth.session.name,
        # Secrets are long and drawn by a machine: a hash makes a key of any of them.
        keys=tuple(sha256(b"proxy-composer session\0" + secret.encode()).digest() for secret in auth.session.secret),
        lifetime_s=auth.session.lifetime,
        kept=None if auth.session.claims is None else frozenset(auth.session.claims),
    )


def login_routes(
    providers: Iterable[ProviderPlan], max_body: int, place: Place
) -> list[tuple[MatchRule, RoutePlan, Place]]:
    """The routes that providers need for themselves, with the places that ask for them."""
    found = []
    for plan in providers:
        if not isinstance(plan, OidcPlan):
            continue
        for step, path in (("callback", plan.callback), ("logout", plan.logout)):
            here = place / plan.name / step
            rule = MatchRule(methods=frozenset({"GET"}), pattern=parse_pattern(path), host=None, headers=(), query=())
            route = RoutePlan(
                name=f"{plan.name}.{step}",
                methods=("GET",),
                pattern=path,
                host=None,
                action=LoginPlan(provider=plan, step="callback" if step == "callback" else "logout"),
                timeout_s=_TIMEOUT_S,
                max_body=max_body,
                tests=(),
                summary="",
                span=here.span(),
            )
            found.append((rule, route, here))
    return found

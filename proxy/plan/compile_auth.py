"""`auth` of the configuration and of a route → who may ask."""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from msgspec.structs import replace

from proxy.config.auth import Auth, Secret
from proxy.config.model import Config, Route
from proxy.document import InvalidJson, decode_json
from proxy.expr.cel import compile_cel
from proxy.expr.scope import REQUEST_ROOTS, Vocabulary
from proxy.merge.shape import warn_of_constant
from proxy.message import is_token
from proxy.plan.auth import (
    AllowPlan,
    ApiKeysPlan,
    AuthPlan,
    BasicPlan,
    Claims,
    ForwardPlan,
    JwtPlan,
    MtlsPlan,
    OidcPlan,
    ProviderPlan,
    StoredKeysPlan,
)
from proxy.plan.compile_actions import request_roots
from proxy.plan.compile_forward import compile_forward
from proxy.plan.compile_oidc import compile_oidc
from proxy.plan.nodes import Action
from proxy.plan.stores import check_redis, warn_of_plain
from proxy.policy.jws import ALGORITHMS, DEFAULT_ALGORITHMS, InvalidKeySet, parse_key_set
from proxy.problems import Invalid, Place, did_you_mean
from proxy.target import is_http_url

_KEYS = {
    "api_key": {"header", "query", "keys", "redis", "prefix", "refresh", "timeout"},
    "basic": {"users"},
    "jwt": {
        *("header", "cookie", "jwks", "algorithms", "issuer", "audience", "scopes"),
        *("leeway", "refresh", "cooldown"),
    },
    "mtls": {"subject"},
    "oidc": {
        *("issuer", "client_id", "client_secret", "scopes", "algorithms", "leeway", "base_url"),
        *("callback", "logout", "session"),
    },
    "forward": {"to", "request_headers", "upstream_headers", "client_headers", "claims", "timeout"},
}
_HASH = re.compile(r"[0-9A-Fa-f]{64}")


def compile_providers(auths: Mapping[str, Auth], upstreams: frozenset[str], place: Place) -> dict[str, ProviderPlan]:
    """Each provider by its name; those that are wrong are reported."""
    found: dict[str, ProviderPlan] = {}
    for name, auth in auths.items():
        here = place / name
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            here.problem(
                "bad-name", f"{name!r} cannot be a provider's name", "use letters, digits, - and _", at_key=True
            )
        for key in sorted(auth.model_fields_set - _KEYS[auth.type] - {"type"}):
            what = f"{key!r} has no meaning in type {auth.type}"
            (here / key).problem("conflicting-keys", what, f"it has {', '.join(sorted(_KEYS[auth.type]))}", at_key=True)
        if auth.header is not None and not is_token(auth.header):
            (here / "header").problem("bad-header", f"{auth.header!r} is not a header name")
        plan: ProviderPlan | None
        if auth.type == "forward":
            plan = compile_forward(name, auth, upstreams, here)
        else:
            plan = _COMPILERS[auth.type](name, auth, here)
        if plan is not None:
            found[name] = plan
    return found


def compile_auth(route: Route, config: Config, providers: Mapping[str, ProviderPlan], place: Place) -> AuthPlan | None:
    """Who may ask a route; None for everybody."""
    if route.auth is None:
        return None
    if not route.auth:
        place.problem("missing-key", "no provider is named", "leave auth out to let everybody in", at_key=True)
    for index, name in enumerate(route.auth):
        if name in config.auth and config.auth[name].type == "mtls":
            _check_clients_are_asked(config, place / index if len(route.auth) > 1 else place)
        if name not in config.auth:
            hint = did_you_mean(name, list(config.auth)) or f"there is {', '.join(config.auth) or 'none'}"
            where = place / index if len(route.auth) > 1 else place
            where.problem("unknown-auth", f"{name!r} is no provider of auth", hint)
    chosen = tuple(providers[name] for name in route.auth if name in providers)
    return AuthPlan(providers=chosen, headers=tuple(dict.fromkeys(name for one in chosen for name in _headers_of(one))))


def _check_clients_are_asked(config: Config, place: Place) -> None:
    if config.server.tls is None or config.server.tls.client_ca is None:
        what = "clients are not asked for a certificate"
        place.problem("missing-key", what, "write server: {tls: {client_ca: …}}")


def check_claims_known(route: Route, action: Action | None, place: Place) -> None:
    """Claims are of somebody: a route that reads them must know who asks."""
    if action is not None and "claims" in action.roots and route.auth is None:
        what = f"route {route.name!r} reads claims, and anybody may ask it"
        place.problem("claims-without-auth", what, "write auth: <provider>")


def compile_allow(route: Route, names: Vocabulary, place: Place) -> AllowPlan | None:
    """The condition under which a route may be asked. It cannot read the body, which may not have come yet."""
    if route.allow is None:
        return None
    known = REQUEST_ROOTS - {"body"} if route.auth is not None else REQUEST_ROOTS - {"body", "claims"}
    try:
        expression = compile_cel(route.allow, replace(names, request=known))
    except Invalid as error:
        place.invalid(error)
        return None
    warn_of_constant(expression, place)
    return AllowPlan(evaluate=expression.evaluate, roots=request_roots(expression.reads))


def credential_sources(names: Sequence[str], config: Config) -> tuple[list[str], list[str]]:
    """The request headers, and the query parameters, in which the credentials of these providers stand."""
    headers, queries = [], []
    for auth in [config.auth[name] for name in names if name in config.auth]:
        if auth.type == "forward":
            headers += [name.lower() for name in auth.request_headers or ("authorization", "cookie")]
        elif auth.query is not None:
            queries.append(auth.query)
        elif auth.type == "mtls":
            continue
        elif auth.cookie is not None or auth.type == "oidc":
            headers.append("cookie")
        else:
            headers.append((auth.header or ("X-API-Key" if auth.type == "api_key" else "Authorization")).lower())
    return headers, queries


def _headers_of(plan: ProviderPlan) -> tuple[str, ...]:
    """Where a credential of it stands, as far as that is a header."""
    match plan:
        case ApiKeysPlan():
            return () if plan.header is None else (plan.header,)
        case BasicPlan():
            return ("Authorization",)
        case JwtPlan():
            return (plan.header if plan.cookie is None else "Cookie",)
        case ForwardPlan():
            return plan.asks
        case MtlsPlan():
            return ()
        case OidcPlan():
            return ("Cookie",)


def _digest(one: Secret, place: Place) -> bytes | None:
    if (one.sha256 is None) == (one.secret is None):
        place.problem("missing-key", "a key is said by its sha256, or as a secret", "write sha256: <64 hex digits>")
        return None
    if one.secret is not None:
        if not one.secret:
            (place / "secret").problem("wrong-type", "an empty secret lets everybody in", "write ${secret.name}")
        return sha256(one.secret.encode()).digest()
    if not _HASH.fullmatch(one.sha256 or ""):
        # Not repeated: it may be the key itself.
        (place / "sha256").problem("bad-hash", "this is not a SHA-256 in hex", "printf %s KEY | sha256sum")
        return None
    return bytes.fromhex(one.sha256 or "")


def _claims(name: str, one: Secret) -> Claims:
    return {"sub": name, **one.claims}


def _api_keys(name: str, auth: Auth, place: Place) -> ApiKeysPlan | None:
    if auth.query is not None and auth.header is not None:
        (place / "query").problem("conflicting-keys", "a key stands in a header or in the query", "", at_key=True)
    if not auth.keys and auth.redis is None:
        place.problem("missing-key", "'keys' is missing", "write keys: {<name>: {sha256: …}}")
        return None
    holders: dict[bytes, Claims] = {}
    for holder, one in (auth.keys or {}).items():
        if (digest := _digest(one, place / "keys" / holder)) is None:
            continue
        if digest in holders:
            what = f"{holder!r} has the same key as {holders[digest]['sub']!r}"
            (place / "keys" / holder).problem("duplicate-key", what, "give each their own", at_key=True)
        holders[digest] = _claims(holder, one)
    header = (auth.header or "X-API-Key") if auth.query is None else None
    return ApiKeysPlan(name=name, header=header, query=auth.query, holders=holders, stored=_stored_keys(auth, place))


def _stored_keys(auth: Auth, place: Place) -> StoredKeysPlan | None:
    if auth.redis is None:
        for key in sorted(auth.model_fields_set & {"prefix", "refresh", "timeout"}):
            (place / key).problem(
                "conflicting-keys", f"{key!r} is about keys in a Redis", "write redis: …", at_key=True
            )
        return None
    check_redis(auth.redis, "keys", "write redis://host:6379/0", place / "redis")
    return StoredKeysPlan(
        url=auth.redis,
        prefix="proxy-composer:key:" if auth.prefix is None else auth.prefix,
        timeout_s=0.1 if auth.timeout is None else auth.timeout,
        refresh_s=10.0 if auth.refresh is None else auth.refresh,
    )


def _basic(name: str, auth: Auth, place: Place) -> BasicPlan | None:
    if not auth.users:
        place.problem("missing-key", "'users' is missing", "write users: {<name>: {sha256: …}}")
        return None
    users = {}
    for user, one in auth.users.items():
        if ":" in user or not user:
            (place / "users" / user).problem("bad-name", f"{user!r} cannot be a user (RFC 7617)", "", at_key=True)
        if (digest := _digest(one, place / "users" / user)) is not None:
            users[user] = (digest, _claims(user, one))
    return BasicPlan(name=name, users=users)


def _jwt(name: str, auth: Auth, place: Place) -> JwtPlan | None:
    if find_spec("jwt") is None or find_spec("cryptography") is None:
        (place / "type").problem(
            "missing-extra", "tokens need packages that are not installed", "pip install 'proxy-composer[jwt]'"
        )
        return None
    if auth.cookie is not None and auth.header is not None:
        (place / "cookie").problem("conflicting-keys", "a token stands in a header or in a cookie", "", at_key=True)
    algorithms = auth.algorithms if auth.algorithms is not None else list(DEFAULT_ALGORITHMS)
    for index, algorithm in enumerate(algorithms):
        if algorithm not in ALGORITHMS:
            # `none` signs nothing; of HMAC everybody who can check can sign.
            what = f"{algorithm!r} is not an algorithm of public keys"
            (place / "algorithms" / index).problem("bad-algorithm", what, f"known are {', '.join(ALGORITHMS)}")
    if not algorithms:
        (place / "algorithms").problem("bad-algorithm", "no algorithm is listed", "leave algorithms out")
    url, keys = _key_source(auth, place)
    if url is None and keys is None:
        return None
    return JwtPlan(
        name=name,
        header=auth.header or "Authorization",
        cookie=auth.cookie,
        url=url,
        keys=keys,
        algorithms=frozenset(algorithms),
        issuers=frozenset(auth.issuer or ()),
        audiences=frozenset(auth.audience or ()),
        scopes=frozenset(auth.scopes or ()),
        leeway_s=30.0 if auth.leeway is None else auth.leeway,
        refresh_s=600.0 if auth.refresh is None else auth.refresh,
        cooldown_s=30.0 if auth.cooldown is None else auth.cooldown,
    )


def _key_source(auth: Auth, place: Place) -> tuple[str | None, Mapping[str, Any] | None]:
    """The URL of the keys, or the keys; neither after reporting a problem."""
    if auth.jwks is None:
        place.problem("missing-key", "'jwks' is missing", "write jwks: https://issuer/.well-known/jwks.json")
        return None, None
    document: Any = auth.jwks
    if isinstance(document, str) and not document.lstrip().startswith("{"):
        if not is_http_url(document):
            (place / "jwks").problem("bad-url", "this is not where keys are", "write https://…, a file, or the keys")
            return None, None
        warn_of_plain(document, place / "jwks")
        return document, None
    try:
        document = decode_json(document.encode()) if isinstance(document, str) else document
        parse_key_set(document)
    except (InvalidJson, InvalidKeySet) as error:
        (place / "jwks").problem("bad-keys", f"these keys cannot be used: {error}", "write a JWK set: {keys: […]}")
        return None, None
    return None, document


def _mtls(name: str, auth: Auth, place: Place) -> MtlsPlan:
    return MtlsPlan(name=name, subject=auth.subject or "cn")


_COMPILERS: dict[str, Callable[[str, Auth, Place], ProviderPlan | None]] = {
    "api_key": _api_keys,
    "basic": _basic,
    "jwt": _jwt,
    "mtls": _mtls,
    "oidc": compile_oidc,
}

"""`identity` and `headers` of an upstream: model → what goes with every request to it."""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from proxy.config.identity import Identity
from proxy.config.upstreams import Upstream
from proxy.message import NEVER_FORWARDED, is_field_value, is_token
from proxy.plan.identity import IdentityPlan, SignaturePlan, TokenPlan
from proxy.plan.stores import warn_of_plain
from proxy.plan.upstreams import Endpoint
from proxy.policy.signatures import DERIVED, Sign, hmac_sha256
from proxy.problems import Place
from proxy.target import is_http_url

_KEYS = {
    "bearer": ("token",),
    "basic": ("user", "password"),
    "client_credentials": ("token_url", "client_id", "client_secret"),
    "signed": ("key", "key_id"),
}
_OPTIONS = {
    "bearer": (),
    "basic": (),
    "client_credentials": ("client_in", "scopes", "audience"),
    "signed": ("algorithm", "covers"),
}
_COVERED = ("@method", "@path", "@query", "content-digest")
_SHORTEST_KEY = 32


def compile_identity(upstream: Upstream, endpoints: Sequence[Endpoint], place: Place) -> IdentityPlan | None:
    """None where nothing of ours goes along."""
    headers = _headers(upstream.headers, place / "headers")
    identity = upstream.identity
    if identity is None:
        return IdentityPlan(headers=headers) if headers else None
    here = place / "identity"
    allowed = {"type", *_KEYS[identity.type], *_OPTIONS[identity.type]}
    for key in sorted(identity.model_fields_set - allowed):
        what = f"{key!r} has no meaning in type {identity.type}"
        (here / key).problem("conflicting-keys", what, f"it has {', '.join(sorted(allowed))}", at_key=True)
    missing = [key for key in _KEYS[identity.type] if not getattr(identity, key)]
    for key in missing:
        here.problem("missing-key", f"{key!r} is missing", f"write {key}: …", at_key=True)
    if missing:
        return None
    return _COMPILERS[identity.type](identity, upstream, endpoints, headers, here)


def _headers(headers: dict[str, str], place: Place) -> tuple[tuple[str, str], ...]:
    for name, value in headers.items():
        here = place / name
        if not is_token(name):
            here.problem("bad-header", f"{name!r} is not a header name", at_key=True)
        elif name.lower() in NEVER_FORWARDED | {"content-length", "host"}:
            here.problem("bad-header", f"{name!r} is about the connection", "leave it out", at_key=True)
        elif not is_field_value(value):
            here.problem("bad-header", f"the value of {name} cannot stand in a header")
    return tuple(headers.items())


Pairs = tuple[tuple[str, str], ...]


def _bearer(
    identity: Identity, upstream: Upstream, endpoints: Sequence[Endpoint], headers: Pairs, place: Place
) -> IdentityPlan:
    if not re.fullmatch(r"[!-~]+", identity.token or ""):
        (place / "token").problem("bad-header", "this cannot be a token", "it has no blanks")
    return IdentityPlan(headers=(*headers, ("Authorization", f"Bearer {identity.token}")))


def _basic(
    identity: Identity, upstream: Upstream, endpoints: Sequence[Endpoint], headers: Pairs, place: Place
) -> IdentityPlan:
    if ":" in (identity.user or ""):
        (place / "user").problem("bad-name", "a user has no colon (RFC 7617 §2)")
    told = b64encode(f"{identity.user}:{identity.password}".encode()).decode("ascii")
    return IdentityPlan(headers=(*headers, ("Authorization", f"Basic {told}")))


def _client_credentials(
    identity: Identity, upstream: Upstream, endpoints: Sequence[Endpoint], headers: Pairs, place: Place
) -> IdentityPlan | None:
    url, client = identity.token_url or "", (identity.client_id or "", identity.client_secret or "")
    if not is_http_url(url):
        (place / "token_url").problem("bad-url", "this is not where tokens are got", "write https://…")
        return None
    warn_of_plain(url, place / "token_url")
    form = [("grant_type", "client_credentials")]
    if identity.scopes:
        form.append(("scope", " ".join(identity.scopes)))
    if identity.audience is not None:
        form.append(("audience", identity.audience))
    in_body = identity.client_in == "body"
    if in_body:
        form += [("client_id", client[0]), ("client_secret", client[1])]
    return IdentityPlan(headers=headers, token=TokenPlan(url=url, form=tuple(form), client=None if in_body else client))


def _signed(
    identity: Identity, upstream: Upstream, endpoints: Sequence[Endpoint], headers: Pairs, place: Place
) -> IdentityPlan | None:
    sign = _signer(identity, place)
    if not re.fullmatch(r"[!#-\[\]-~]+", identity.key_id or ""):
        (place / "key_id").problem("bad-name", f"{identity.key_id!r} cannot be a key's name")
    covers = tuple(_COVERED if identity.covers is None else [name.lower() for name in identity.covers])
    for index, name in enumerate(covers):
        if name not in DERIVED and (name.startswith("@") or not is_token(name)):
            hint = f"write a header's name, or one of {', '.join(DERIVED)}"
            (place / "covers" / index).problem("bad-name", f"{name!r} cannot be covered", hint)
    authorities = {one.authority for one in endpoints} if upstream.host == "upstream" else {upstream.host}
    if upstream.host == "preserve":
        authorities = {""}  # whatever the client asked for
    if len(authorities) != 1 and {"@authority", "@target-uri"} & set(covers):
        hint = "write host: <name>, or do not cover the authority"
        (place / "covers").problem("conflicting-keys", "each endpoint has an authority of its own", hint)
    if len({one.base_path for one in endpoints}) > 1:
        place.problem("conflicting-keys", "the endpoints have different paths", "give all of them the same one")
    if sign is None or not endpoints:
        return None
    signature = SignaturePlan(
        key_id=identity.key_id or "",
        covers=covers,
        authority=min(authorities),
        base_path=endpoints[0].base_path,
        secret=identity.key or "",
        sign=sign,
    )
    return IdentityPlan(headers=headers, signature=signature)


def _signer(identity: Identity, place: Place) -> Sign | None:
    """The function that signs; None after reporting a problem. The key is not repeated."""
    key = identity.key or ""
    if identity.algorithm == "hmac-sha256":
        try:
            secret = b64decode(key, validate=True)
        except (NotBase64, ValueError):
            secret = b""
        if len(secret) < _SHORTEST_KEY:
            what = f"this is no base64 of {_SHORTEST_KEY} bytes or more"
            (place / "key").problem("bad-secret", what, "openssl rand -base64 64")
            return None
        return hmac_sha256(secret)
    if find_spec("cryptography") is None:
        (place / "algorithm").problem(
            "missing-extra", "this needs a package that is not installed", "pip install 'proxy-composer[jwt]'"
        )
        return None
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (an extra)
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 (an extra)

    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        (place / "key").problem(
            "bad-secret", "this is no private key of Ed25519 as PEM", "openssl genpkey -algorithm ed25519"
        )
        return None
    return private.sign


_COMPILERS: dict[str, Callable[[Identity, Upstream, Sequence[Endpoint], Pairs, Place], IdentityPlan | None]] = {
    "bearer": _bearer,
    "basic": _basic,
    "client_credentials": _client_credentials,
    "signed": _signed,
}

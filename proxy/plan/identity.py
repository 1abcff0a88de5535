"""Who we are to an upstream. Secrets are compared, so that a new one makes a new client, and never shown."""

from dataclasses import dataclass, field

from proxy.policy.signatures import Sign


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlan:
    """Tokens for us as a client (RFC 6749 §4.4). `form` is what is posted; id and secret are in it, or in `client`."""

    url: str
    form: tuple[tuple[str, str], ...] = field(repr=False)
    client: tuple[str, str] | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePlan:
    """Signed requests (RFC 9421). `covers` are component names; `authority` where there is one for all endpoints."""

    key_id: str
    covers: tuple[str, ...]
    authority: str
    base_path: str
    secret: str = field(repr=False)
    sign: Sign = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPlan:
    """`headers` stand in the place of any other of their names."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: TokenPlan | None = None
    signature: SignaturePlan | None = None

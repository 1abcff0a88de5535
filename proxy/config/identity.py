"""Who we are to an upstream, as a pydantic model. One for all types, so that a wrong key is named where it stands."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from proxy.config.fields import Strict, one_or_many


class Identity(Strict):
    """What goes with every request to it."""

    type: Literal["bearer", "basic", "client_credentials", "signed"]
    token: str | None = None
    """Of `bearer`: from `${secret.name}`."""
    user: str | None = None
    """Of `basic`."""
    password: str | None = None
    """Of `basic`: from `${secret.name}`."""
    token_url: str | None = None
    """Of `client_credentials`: where tokens are got (RFC 6749 §4.4)."""
    client_id: str | None = None
    """Of `client_credentials`."""
    client_secret: str | None = None
    """Of `client_credentials`: from `${secret.name}`."""
    client_in: Literal["header", "body"] = "header"
    """Of `client_credentials`: where the token endpoint wants id and secret."""
    scopes: Annotated[list[str], BeforeValidator(one_or_many)] = Field(default_factory=list)
    """Of `client_credentials`: what the token is to be good for."""
    audience: str | None = None
    """Of `client_credentials`: for whom, where the issuer asks for it."""
    algorithm: Literal["hmac-sha256", "ed25519"] = "hmac-sha256"
    """Of `signed` (RFC 9421)."""
    key: str | None = None
    """Of `signed`: the shared secret in base64, or the private key as PEM, from `${secret.name}`."""
    key_id: str | None = None
    """Of `signed`: what the upstream knows the key by."""
    covers: list[str] | None = None
    """Of `signed`: what is signed; [@method, @path, @query, content-digest] unless said."""

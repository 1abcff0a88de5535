"""From where a route may be asked, as a pydantic model."""

from pydantic import Field

from proxy.config.fields import Strict


class IpRules(Strict):
    """Addresses and networks: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`, of clients as `trusted_proxies` tell them."""

    allow: list[str] = Field(default_factory=list)
    """Only these; all if none is named."""
    deny: list[str] = Field(default_factory=list)
    """Never these, whatever `allow` says."""

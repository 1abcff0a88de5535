"""Where credentials are known from: kept over a reload, so that an outage just then forgets nobody."""

from proxy.background import Background
from proxy.plan.auth import StoredKeysPlan
from proxy.security.discovery import Discovery
from proxy.security.keyring import KeyRing
from proxy.security.keystore import KeyStore


class Sources:
    """One ring for each URL of an issuer's keys, one store for each place of API keys."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._rings: dict[str, KeyRing] = {}
        self._stores: dict[StoredKeysPlan, KeyStore] = {}
        self._issuers: dict[str, Discovery] = {}

    def ring(self, url: str) -> KeyRing:
        """The keys of an issuer."""
        if url not in self._rings:
            self._rings[url] = KeyRing(url, self._background)
        return self._rings[url]

    def store(self, plan: StoredKeysPlan) -> KeyStore:
        """The API keys of a Redis."""
        if plan not in self._stores:
            self._stores[plan] = KeyStore(plan)
        return self._stores[plan]

    def discovery(self, issuer: str) -> Discovery:
        """Where an issuer of logins has what."""
        if issuer not in self._issuers:
            self._issuers[issuer] = Discovery(issuer)
        return self._issuers[issuer]

    async def close(self) -> None:
        """Close what is open."""
        for store in self._stores.values():
            await store.close()

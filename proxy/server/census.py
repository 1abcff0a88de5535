"""How many connections there are, in all and by client: nobody may hold them all."""

from collections.abc import Callable

from proxy.plan.nodes import ServerPlan


class Census:
    """Counts connections in and out. `files` is how many the process may have open at all."""

    def __init__(self, settings: Callable[[], ServerPlan], is_exempt: Callable[[str], bool], files: int) -> None:
        self._settings = settings
        self._is_exempt = is_exempt
        # Every connection may need one to an upstream; what is left must do for files, pools and the admin listener.
        self._possible = max(files * 3 // 4, 1)
        self._by_client: dict[str, int] = {}
        self.total = 0
        self.refused = 0

    def enter(self, address: str) -> bool:
        """Count one more from an address; False, and nothing is counted, where there is no room for it."""
        settings = self._settings()
        most = min(settings.max_connections, self._possible)
        held = self._by_client.get(address, 0)
        each = settings.max_connections_per_client or max(most // 2, 1)
        if self.total >= most or (held >= each and not self._is_exempt(address)):
            self.refused += 1
            return False
        self.total += 1
        self._by_client[address] = held + 1
        return True

    def leave(self, address: str) -> None:
        """Count one that has ended."""
        self.total -= 1
        left = self._by_client[address] - 1
        if left:
            self._by_client[address] = left
        else:
            del self._by_client[address]

"""The plan of cross-origin requests: who may read, and what a browser is told of it (Fetch standard, §3.2). Pure."""

import re
from dataclasses import dataclass

from proxy.message import Fields

# What a browser writes (Fetch §3.2.2, RFC 6454 §6.2): in lower case, without the scheme's own port.
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPlan:
    """`origins` are exact; `below` are (scheme, `.example.com`, port with its colon or nothing); `anybody` is `*`.

    `methods`: None for whatever the route takes. `headers` are in lower case.
    """

    origins: frozenset[str] = frozenset()
    below: tuple[tuple[str, str, str], ...] = ()
    anybody: bool = False
    methods: frozenset[str] | None = None
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age_s: float = 600.0

    def lets_in(self, origin: str) -> bool:
        """Whether pages of this origin may read. `origin` is what the client sent, whatever that is."""
        if self.anybody or origin in self.origins:
            return True
        parsed = _ORIGIN.fullmatch(origin) if self.below else None
        if parsed is None:
            return False
        scheme, host, port = parsed[1], parsed[2], parsed[3] or ""
        return any([(scheme, port) == (s, p) and host.endswith(b) and len(host) > len(b) for s, b, p in self.below])

    def answer(self, origins: list[str] | tuple[str, ...]) -> Fields:
        """What goes with every answer, also with errors, to a request with these `Origin` fields."""
        if self.anybody and not self.credentials:
            return self._readable("*")
        # Also without an Origin: what a cache keeps of this would be given to one that has one.
        vary = ("Vary", "Origin")
        if len(origins) != 1 or not self.lets_in(origins[0]):
            return [vary]
        return [vary, *self._readable(origins[0])]

    def _readable(self, origin: str) -> Fields:
        fields = [("Access-Control-Allow-Origin", origin)]
        if self.credentials:
            fields.append(("Access-Control-Allow-Credentials", "true"))
        if self.expose:
            fields.append(("Access-Control-Expose-Headers", ", ".join(self.expose)))
        return fields

    def preflight(self, method: str) -> Fields:
        """What may be sent, for a page that may (Fetch §3.2.3) and asks for `method`; the browser compares."""
        methods = {method} if self.methods is None else self.methods
        fields = [("Access-Control-Allow-Methods", ", ".join(sorted(methods)))]
        if self.headers:
            fields.append(("Access-Control-Allow-Headers", ", ".join(self.headers)))
        return [*fields, ("Access-Control-Max-Age", str(int(self.max_age_s)))]


def parse_origin(text: str) -> tuple[str, str, str] | None:
    """(scheme, host, port with its colon or nothing) of an origin as browsers write it; None for anything else."""
    parsed = _ORIGIN.fullmatch(text)
    return None if parsed is None else (parsed[1], parsed[2], parsed[3] or "")

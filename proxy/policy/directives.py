"""What `Cache-Control` says, of an answer or of a request (RFC 9111 §5.2, RFC 5861)."""

import re
from functools import lru_cache

from msgspec import Struct

# A token and its argument, a token or a quoted string (RFC 9111 §5.2); what is neither is passed over.
_DIRECTIVE = re.compile(r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?[^,]*""")
# More is taken for this (RFC 9111 §1.2.2).
LONGEST = 2**31


class Directives(Struct, frozen=True):
    """What one `Cache-Control` says. The lifetimes are seconds, None where there is none.

    `authorized`: it lets a shared cache keep the answer to a request with credentials (RFC 9111 §3.5).
    """

    no_store: bool = False
    private: bool = False
    public: bool = False
    no_cache: bool = False
    must_revalidate: bool = False
    authorized: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None


class Asked(Struct, frozen=True):
    """What the `Cache-Control` of a request asks for (§5.2.1). What a cache may ignore without harm is not here."""

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int = 0


@lru_cache(maxsize=512)  # upstreams repeat themselves
def parse_cache_control(text: str) -> Directives:
    """The directives of a field value. A malformed lifetime is 0, of several the smallest counts (§4.2.1)."""
    words = _words(text)
    return Directives(
        no_store="no-store" in words,
        # With a list of fields they would bind only those; taken for all, they are only stricter (§5.2.2.4, §5.2.2.7).
        private="private" in words,
        public="public" in words,
        no_cache="no-cache" in words,
        must_revalidate="must-revalidate" in words or "proxy-revalidate" in words,
        # Not proxy-revalidate, which does not make anything shareable by itself (§5.2.2.8).
        authorized=not words.keys().isdisjoint(("public", "must-revalidate", "s-maxage")),
        max_age=words.get("max-age"),
        s_maxage=words.get("s-maxage"),
        stale_while_revalidate=words.get("stale-while-revalidate"),
        stale_if_error=words.get("stale-if-error"),
    )


@lru_cache(maxsize=512)  # browsers say one of a few things
def parse_asked(text: str) -> Asked:
    """The directives of a request."""
    words = _words(text)
    return Asked(
        no_store="no-store" in words,
        no_cache="no-cache" in words,
        only_if_cached="only-if-cached" in words,
        max_age=words.get("max-age"),
        min_fresh=words.get("min-fresh", 0),
    )


def seconds_of(text: str) -> int:
    """A delta-seconds (§1.2.2); 0 for what is none."""
    if not text.isascii() or not text.isdigit():
        return 0
    return LONGEST if len(text) > 10 else min(int(text), LONGEST)


def _words(text: str) -> dict[str, int]:
    words: dict[str, int] = {}
    for name, quoted, token in _DIRECTIVE.findall(text):
        name = name.lower()
        seconds = seconds_of(quoted or token)
        words[name] = min(seconds, words.get(name, seconds))
    return words

"""Addresses of what this process relies on: a Redis or Valkey that keeps its state, an issuer that says who asks."""

from importlib.util import find_spec
from urllib.parse import urlsplit

from proxy.problems import Place


def check_redis(url: str, what: str, hint: str, place: Place) -> bool:
    """Whether a URL can be used for this; reports a problem if not. The URL is not repeated: it may hold a password."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        place.problem("bad-url", f"this is not where {what} can be kept", hint)
    elif find_spec("redis") is None:
        place.problem(
            "missing-extra", "a Redis needs a package that is not installed", "pip install 'proxy-composer[redis]'"
        )
    else:
        return True
    return False


def warn_of_plain(url: str, place: Place) -> None:
    """Whoever stands on the way to a URL without TLS decides who may come in."""
    if url.startswith("http:") and urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1"):
        place.warning("no-tls", "who stands in between can let anybody in", "write https://…")

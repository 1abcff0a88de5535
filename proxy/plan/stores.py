"""Where state may be kept outside this process: the URL of a Redis or Valkey."""

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

"""What a client says that it takes: media types and content codings, with weights (RFC 9110 §12.4.2, §12.5). Pure.

Clients repeat themselves, so what a field means is kept; a member that cannot be read is passed over.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from proxy.errors import GatewayError, Source
from proxy.message import is_token

_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class NotAcceptable(GatewayError):
    """The client takes none of the media types that the route has."""

    status = 406
    code = "not_acceptable"
    source: Source = "client"


def weights(text: str) -> Mapping[str, float]:
    """The members of an `Accept` or `Accept-Encoding` in lower case, with their weights. Other parameters are dropped.

    Of several with one name the highest counts.
    """
    found: dict[str, float] = {}
    for member in text.lower().split(","):
        name, *parameters = (part.strip(" \t") for part in member.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                value = value.strip()
                weight = float(value) if _WEIGHT.fullmatch(value) else -1.0
        if weight >= 0 and all(is_token(part) for part in name.split("/")):
            found[name] = max(weight, found.get(name, 0.0))
    return found


@lru_cache(maxsize=256)
def accepts(accept: str, media_type: str) -> bool:
    """Whether a client with this `Accept` takes the type. The most specific range decides (RFC 9110 §12.5.1)."""
    ranges = weights(accept)
    if not ranges:
        return True
    for media_range in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if (weight := ranges.get(media_range)) is not None:
            return weight > 0
    return False


@lru_cache(maxsize=256)
def choose_coding(accept_encoding: str, available: tuple[str, ...]) -> str | None:
    """The coding to use, None for the plain body; of equal weights the first available one (RFC 9110 §12.5.3)."""
    wanted = weights(accept_encoding)
    if "x-gzip" in wanted:
        wanted = {"gzip": wanted["x-gzip"], **wanted}  # RFC 9110 §8.4.1.3
    anything = wanted.get("*", 0.0)
    best = max(available, key=lambda name: wanted.get(name, anything), default=None)
    if best is None:
        return None
    weight = wanted.get(best, anything)
    return best if weight > 0 and weight >= wanted.get("identity", 0.0) else None

"""The one composition mechanism: a service answers a request, a layer wraps a service."""

from collections.abc import Awaitable, Callable

from proxy.message import Request, Response

Service = Callable[[Request], Awaitable[Response]]
Layer = Callable[[Service], Service]


def stack(inner: Service, *layers: Layer | None) -> Service:
    """Compose layers around `inner`. The first one given is the outermost; an absent feature is None."""
    for layer in reversed(layers):
        if layer is not None:
            inner = layer(inner)
    return inner

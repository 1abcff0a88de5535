"""One header or query field of a request to an upstream."""

from msgspec import Struct

from proxy.expr.scope import Evaluate


class Field(Struct, frozen=True):
    """One header or query field. `client`: the request has a say in its value; `only_client`: the only one. `identity`:
    it tells who asks.
    """

    name: str
    evaluate: Evaluate
    client: bool
    only_client: bool
    text: str
    identity: bool = False

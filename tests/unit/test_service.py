from typing import cast

from proxy.message import Request, Response
from proxy.service import Layer, Service, stack


async def inner(request: Request) -> Response:
    return Response(200, body=b"inner")


def layer(name: bytes) -> Layer:
    def wrap(service: Service) -> Service:
        async def wrapped(request: Request) -> Response:
            response = await service(request)
            return Response(response.status, body=name + b" " + response.body)

        return wrapped

    return wrap


async def test_the_first_layer_is_the_outermost() -> None:
    response = await stack(inner, layer(b"a"), layer(b"b"))(cast(Request, None))
    assert response.body == b"a b inner"


async def test_an_absent_feature_is_not_in_the_path() -> None:
    assert stack(inner, None, None) is inner

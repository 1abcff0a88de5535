from types import TracebackType
from typing import Any

import pytest

from proxy.errors import BadRequest, MethodNotAllowed, RouteNotFound, TargetTooLong
from proxy.message import BodyStream, Request, Response
from proxy.plan.pattern import parse_pattern
from proxy.plan.routing import MatchRule, Router
from proxy.server.dispatch import dispatch, host_name, is_host


class Route:
    name = "users"
    max_body = 123
    methods: tuple[str, ...] = ()


class Serving:
    """One generation with one route."""

    def __init__(self, number: int = 1, host: str | None = None) -> None:
        self.number = number
        self.held = 0
        self.max_target = 100
        self.router: Router[Any] = Router(
            [(MatchRule(frozenset({"GET"}), parse_pattern("/users/{id:int}"), host=host), Route)]
        )
        self.services = {"users": self._serve}
        self.held_while_serving = 0

    async def _serve(self, request: Request) -> Response:
        self.held_while_serving = self.held
        return Response(200)

    def __enter__(self) -> "Serving":
        self.held += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held -= 1


async def serve(request: Request, serving: Serving | None = None) -> Response:
    generation = serving or Serving()
    return await dispatch(lambda: generation)(request)


async def test_a_route_is_found_and_the_request_told_of_it(request_of: Any) -> None:
    request = request_of("/users/%37?x=1")
    assert (await serve(request, Serving(5))).status == 200
    assert (request.route, request.params, request.max_body) == ("users", {"id": 7}, 123)
    assert (request.path, request.query, request.generation) == ("/users/7", "x=1", 5)


@pytest.mark.parametrize("methods,status", [(None, 405), (frozenset({"TRACE"}), 200)])
async def test_trace_is_taken_only_where_it_is_named(methods: Any, status: int, request_of: Any) -> None:
    class Traced(Route):
        pass

    Traced.methods = tuple(methods or ())
    serving = Serving()
    serving.router = Router([(MatchRule(methods, parse_pattern("/x")), Traced)])
    if status == 200:
        assert (await serve(request_of("/x", method="TRACE"), serving)).status == 200
        return
    with pytest.raises(MethodNotAllowed) as caught:
        await serve(request_of("/x", method="TRACE"), serving)
    assert caught.value.headers == {"Allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}


async def test_a_generation_is_held_until_its_request_has_ended(request_of: Any) -> None:
    serving = Serving()
    await serve(request_of("/users/7"), serving)
    assert (serving.held_while_serving, serving.held) == (1, 0)
    with pytest.raises(RouteNotFound):
        await serve(request_of("/other"), serving)
    assert serving.held == 0


async def test_a_generation_is_held_until_a_streamed_answer_has_ended(request_of: Any) -> None:
    class Body(BodyStream):
        length = None

    async def stream(request: Request) -> Response:
        return Response(200, stream=Body())

    serving = Serving()
    serving.services = {"users": stream}
    response = await serve(request_of("/users/7"), serving)
    assert serving.held == 1
    response.end()
    assert serving.held == 0


@pytest.mark.parametrize("method,path", [("OPTIONS", "/users/7"), ("OPTIONS", "*")])
async def test_options_without_a_route_says_what_is_allowed(method: str, path: str, request_of: Any) -> None:
    response = await serve(request_of(path, method=method))
    assert response.status == 204
    assert "GET" in response.headers["Allow"]


async def test_what_cannot_be_served_is_an_error(request_of: Any) -> None:
    with pytest.raises(MethodNotAllowed):
        await serve(request_of("/users/7", method="POST"))
    with pytest.raises(TargetTooLong):
        await serve(request_of("/" + "a" * 100))
    with pytest.raises(BadRequest):
        await serve(request_of("/users/../7"))


@pytest.mark.parametrize(
    "headers,target",
    [
        ([("Host", "a"), ("Host", "b")], "/users/7"),
        ([("Host", "a/b")], "/users/7"),
        ([("Host", "user@a")], "/users/7"),
        ([("Host", "a, b")], "/users/7"),
        ([("Host", "a")], "http://b/users/7"),
    ],
)
async def test_a_host_is_one_host_and_that_of_the_target(headers: Any, target: str, request_of: Any) -> None:
    with pytest.raises(BadRequest):
        await serve(request_of(target, headers=headers))


async def test_an_absolute_target_of_the_same_host_is_served(request_of: Any) -> None:
    assert (await serve(request_of("http://EXAMPLE.com/users/7"))).status == 200


async def test_a_routes_host_is_matched_without_port_and_case(request_of: Any) -> None:
    request = request_of("/users/7", headers={"Host": "API.example.com:8000"})
    assert (await serve(request, Serving(host="api.example.com"))).status == 200


@pytest.mark.parametrize("host,name", [("A.b:80", "a.b"), ("[::1]:80", "::1"), ("", ""), ("a", "a")])
def test_a_host_has_a_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    "value,holds",
    [("a.b:80", True), ("[::1]:80", True), ("", True), ("a b", False), ("é", False), ("[::1", False), ("a:b", False)],
)
def test_not_every_text_is_a_host(value: str, holds: bool) -> None:
    assert is_host(value) is holds


async def test_the_generation_is_asked_for_once_for_each_request(request_of: Any) -> None:
    generations = [Serving(1), Serving(2)]
    service = dispatch(lambda: generations.pop(0))
    first, second = request_of("/users/7"), request_of("/users/8")
    await service(first)
    await service(second)
    assert (first.generation, second.generation) == (1, 2)

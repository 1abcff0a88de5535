from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.engine.context import UnsupportedMediaType
from proxy.errors import BadRequest, ValidationFailed
from proxy.message import Request, Response
from proxy.plan.validate import SchemaPlan, ValidatePlan
from proxy.security.validate import DEEPEST, MOST, validating

INTEGER = (frozenset({"integer"}), frozenset[str]())


def schema(**changes: Any) -> SchemaPlan:
    plan: dict[str, Any] = {"holds": lambda value: True, "faults": lambda value, most: [], **changes}
    return SchemaPlan(**plan)


def seen(**changes: Any) -> tuple[SchemaPlan, list[Any]]:
    values: list[Any] = []

    def holds(value: Any) -> bool:
        values.append(value)
        return True

    return schema(holds=holds, **changes), values


async def inner(request: Request) -> Response:
    return Response(200)


async def ask(plan: ValidatePlan, request: Request) -> Response:
    layer = validating(plan)
    assert layer is not None
    return await layer(inner)(request)


def posted(request_of: Any, body: bytes, *headers: tuple[str, str], method: str = "POST") -> Request:
    given = headers or (("Content-Type", "application/json"),)

    async def read_body(limit: int) -> bytes:
        return body

    request: Request = request_of(method=method, read_body=read_body)
    request.headers = CIMultiDictProxy(CIMultiDict(given))
    return request


def test_a_route_without_has_no_layer() -> None:
    assert validating(None) is None


async def test_each_part_is_an_object_of_values(request_of: Any) -> None:
    params, of_params = seen(types={"n": INTEGER})
    query, of_query = seen(types={"n": INTEGER})
    headers, of_headers = seen(types={"x-n": INTEGER}, names=frozenset({"x-n", "x-gone"}))
    plan = ValidatePlan(parts={"params": params, "query": query, "headers": headers})
    request = request_of(("X-N", "3"), ("Host", "a"), query="n=1&a=x&a=y", params={"n": "2", "id": 7})
    assert (await ask(plan, request)).status == 200
    assert (of_params, of_query, of_headers) == ([{"n": 2, "id": 7}], [{"n": 1, "a": ["x", "y"]}], [{"x-n": 3}])


async def test_faults_of_all_parts_are_told_at_once_but_not_more_than_so_many(request_of: Any) -> None:
    def wrong(count: int) -> SchemaPlan:
        return schema(holds=lambda value: False, faults=lambda value, most: [("#/a", "no")] * min(count, most))

    plan = ValidatePlan(parts={"query": wrong(1), "headers": wrong(1), "body": wrong(1000)})
    with pytest.raises(ValidationFailed) as failed:
        await ask(plan, posted(request_of, b"{}"))
    assert len(failed.value.errors) == MOST
    assert [error["in"] for error in failed.value.errors[:3]] == ["query", "headers", "body"]
    assert failed.value.errors[0] == {"in": "query", "pointer": "#/a", "detail": "no"}


async def test_the_body_is_its_value(request_of: Any) -> None:
    body, values = seen()
    big = 10**40
    await ask(ValidatePlan(parts={"body": body}), posted(request_of, b'{"a": [1.5, %d, null]}' % big))
    assert values == [{"a": [1.5, big, None]}]


@pytest.mark.parametrize("method,status", [("GET", 200), ("DELETE", 200), ("POST", 422), ("PUT", 422), ("PATCH", 422)])
async def test_a_body_that_is_not_there_is_missed_where_there_is_always_one(
    method: str, status: int, request_of: Any
) -> None:
    plan = ValidatePlan(parts={"body": schema()})
    if status == 200:
        assert (await ask(plan, posted(request_of, b"", method=method))).status == 200
    else:
        with pytest.raises(ValidationFailed, match="does not look"):
            await ask(plan, posted(request_of, b"", method=method))


async def test_a_get_with_a_body_is_looked_at_all_the_same(request_of: Any) -> None:
    plan = ValidatePlan(parts={"body": schema(holds=lambda value: False, faults=lambda value, most: [("#", "no")])})
    with pytest.raises(ValidationFailed):
        await ask(plan, posted(request_of, b"{}", method="GET"))


@pytest.mark.parametrize(
    "headers",
    [
        [("X", "1")],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "application/json"), ("Content-Type", "text/plain")],
        [("Content-Type", "application/json; charset=utf-16")],
        [("Content-Type", "application/json; charset=utf-8; charset=utf-7")],
        [("Content-Type", "application/json, text/plain")],
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
    ],
)
async def test_what_another_might_read_otherwise_is_not_read(headers: Any, request_of: Any) -> None:
    with pytest.raises(UnsupportedMediaType):
        await ask(ValidatePlan(parts={"body": schema()}), posted(request_of, b"{}", *headers))


@pytest.mark.parametrize(
    "media_type", ["Application/JSON", "application/merge-patch+json", 'application/json; charset="UTF-8"']
)
async def test_json_has_several_names(media_type: str, request_of: Any) -> None:
    request = posted(request_of, b"{}", ("Content-Type", media_type))
    assert (await ask(ValidatePlan(parts={"body": schema()}), request)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"role": "user", "role": "admin"}',
        b'{"a": {"x": 1, "x": 2}}',
        b'{"a": 1, "\\u0061": 2}',
        b"NaN",
        b"[Infinity]",
        b"{'a': 1}",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'"\xff"',
        b"[" * 100_000,
        b"[" * 300 + b"]" * 300,
        b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
        b"1" * 5000,
    ],
)
async def test_what_can_be_read_in_two_ways_or_not_at_all_is_refused(body: bytes, request_of: Any) -> None:
    with pytest.raises(BadRequest):
        await ask(ValidatePlan(parts={"body": schema()}), posted(request_of, body))


async def test_as_deep_as_may_be_and_brackets_in_strings(request_of: Any) -> None:
    plan = ValidatePlan(parts={"body": schema()})
    assert await ask(plan, posted(request_of, b"[" * DEEPEST + b"]" * DEEPEST))
    assert await ask(plan, posted(request_of, b'["' + b'\\"[' * 1000 + b'"]'))

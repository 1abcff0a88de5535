from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from proxy.loading import load
from proxy.message import Request, Response
from proxy.server.split import split_action
from proxy.service import Service

OVERRIDE = "override: {header: X-Canary, values: {v2: new, off: old, dark: dark}}"


def splitting(tmp_path: Path, text: str) -> Service:
    """A split whose variants answer with their names."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nupstreams: {old: http://old, new: http://new, dark: http://dark}\n"
        f"routes: [{{name: a, match: '/{{rest:path}}', proxy: {{split: {{{text}}}}}}}]\n"
    )
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    action: Any = plan.routes[0].action

    def variant(name: str) -> Service:
        async def answer(request: Request) -> Response:
            return Response(200, body=name.encode())

        return answer

    return split_action(action.split, {name: variant(name) for name in action.variants}, Random(7))


async def answers(service: Service, request_of: Any, *, times: int = 200, **headers: str) -> Counter[bytes]:
    given = {"Host": "a", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Counter([(await service(request_of("/", headers=given))).body for _ in range(times)])


async def test_requests_are_shared_out_by_weight(tmp_path: Path, request_of: Any) -> None:
    counted = await answers(splitting(tmp_path, "to: {old: 90, new: 10, dark: 0}"), request_of, times=1000)
    assert 60 < counted[b"new"] < 140
    assert counted[b"new"] + counted[b"old"] == 1000


async def test_a_key_gets_the_same_variant_each_time(tmp_path: Path, request_of: Any) -> None:
    service = splitting(tmp_path, "to: {old: 50, new: 50}, sticky: $.cookies.sid")
    kinds = [await answers(service, request_of, times=5, Cookie=f"sid={number}") for number in range(50)]
    assert all(len(kind) == 1 for kind in kinds)
    assert len({next(iter(kind)) for kind in kinds}) == 2


@pytest.mark.parametrize("sticky", ["$.cookies.sid", "'u-${cookies.sid}'", "$.request"])
async def test_who_has_no_key_gets_one_by_chance(sticky: str, tmp_path: Path, request_of: Any) -> None:
    service = splitting(tmp_path, f"to: {{old: 50, new: 50}}, sticky: {sticky}")
    assert len(await answers(service, request_of)) == 2


async def test_a_header_chooses_before_key_and_chance(tmp_path: Path, request_of: Any) -> None:
    service = splitting(tmp_path, f"to: {{old: 100, new: 0, dark: 0}}, sticky: $.client.ip, {OVERRIDE}")
    assert set(await answers(service, request_of, x_canary="v2")) == {b"new"}
    assert set(await answers(service, request_of, x_canary="dark")) == {b"dark"}
    assert set(await answers(service, request_of, x_canary="V2")) == {b"old"}
    assert set(await answers(service, request_of)) == {b"old"}

from typing import Any

import pytest
from aiohttp import ClientError, ServerDisconnectedError

from mock_upstreams.faults import BadFault, Fault, Faults, parse_document, parse_header
from mock_upstreams.users import make_app


@pytest.mark.parametrize(
    "text,fault",
    [
        ("status=503", Fault(status=503)),
        ("delay=200ms, drip=50ms", Fault(delay_ms=200, drip_ms=50)),
        ("drop", Fault(drop=True)),
        ("invalid-json", Fault(invalid_json=True)),
    ],
)
def test_a_header_names_a_fault(text: str, fault: Fault) -> None:
    assert parse_header(text) == fault


@pytest.mark.parametrize("text", ["", "stauts=503", "delay=1", "status=99", "drop=1"])
def test_a_header_that_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(BadFault):
        parse_header(text)


@pytest.mark.parametrize("document", [[], {"stauts": 1}, {"status": "503"}, {"status": 99}, {"drop": 1}])
def test_a_document_that_is_no_fault_is_refused(document: object) -> None:
    with pytest.raises(BadFault):
        parse_document(document)


def test_a_fault_is_used_up_and_only_for_its_path() -> None:
    faults = Faults()
    faults.add(Fault(status=500, path="/a", times=1))
    assert faults.take("/b") is None
    assert faults.take("/a") == Fault(status=500, path="/a", times=0)
    assert faults.take("/a") is None


async def test_one_request_names_its_own_fault(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    assert (await client.get("/users/1", headers={"X-Fault": "status=503"})).status == 503
    assert (await client.get("/users/1")).status == 200
    assert (await client.get("/users/1", headers={"X-Fault": "nonsense"})).status == 400


async def test_faults_are_set_for_requests_to_come_and_cleared(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    assert (await client.post("/_faults", json={"status": 500})).status == 204
    assert (await client.get("/users/1")).status == 500
    assert (await client.get("/healthz")).status == 200
    assert (await client.delete("/_faults")).status == 204
    assert (await client.get("/users/1")).status == 200


@pytest.mark.parametrize("data", ["{", "[]", '{"stauts": 1}'])
async def test_a_wrong_fault_is_400(data: str, aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    assert (await client.post("/_faults", data=data)).status == 400


async def test_a_dropped_connection_is_dropped(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    with pytest.raises((ServerDisconnectedError, ClientError)):
        await client.post("/users/1", headers={"X-Fault": "drop"})


async def test_invalid_json_is_not_json(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    response = await client.get("/users/1", headers={"X-Fault": "invalid-json"})
    with pytest.raises(ValueError, match="Expecting"):
        await response.json()


async def test_a_dripped_answer_is_the_same_answer(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    whole = await (await client.get("/users/1")).read()
    assert await (await client.get("/users/1", headers={"X-Fault": "drip=1ms"})).read() == whole


def test_a_fault_without_a_path_is_everywhere_but_on_what_is_about_the_mock() -> None:
    faults = Faults()
    faults.add(Fault(status=500))
    assert faults.take("/_stats") is None
    assert faults.take("/healthz") is None
    assert [faults.take("/a") is not None for _ in range(3)] == [True, True, True]


def test_faults_are_taken_in_the_order_in_which_they_were_set() -> None:
    faults = Faults()
    faults.add(Fault(status=500, times=2))
    faults.add(Fault(status=503, times=1))
    taken = [faults.take("/a") for _ in range(4)]
    assert [fault and fault.status for fault in taken] == [500, 500, 503, None]


async def test_the_fault_of_a_header_uses_up_none_that_was_set(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    await client.post("/_faults", json={"status": 500, "times": 1})
    assert (await client.get("/users/1", headers={"X-Fault": "status=503"})).status == 503
    assert (await client.get("/users/1")).status == 500
    assert (await client.get("/users/1")).status == 200


async def test_a_dripped_answer_keeps_its_status(aiohttp_client: Any) -> None:
    client = await aiohttp_client(make_app())
    response = await client.get("/users/999", headers={"X-Fault": "drip=1ms"})
    assert (response.status, await response.json()) == (404, {"error": "no such user"})

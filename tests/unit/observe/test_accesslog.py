import asyncio
import io
import json
from typing import Any

import pytest

from proxy.events import Reloaded
from proxy.message import CallRecord, Response
from proxy.observe.accesslog import access_line, access_log


def test_a_line_says_what_was_asked_and_answered(finished: Any) -> None:
    line = json.loads(access_line(finished()))
    assert line.pop("time").endswith("Z")
    assert line == {
        "request_id": "r1",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "ms": 12.3,
        "bytes": 3,
        "client_ip": "192.0.2.1",
        "route": "page",
        "generation": 4,
    }


def test_calls_errors_and_what_was_partial_are_there_when_there_are_any(finished: Any) -> None:
    calls = [CallRecord("a", 200, 1.5), CallRecord("b", 0, 2.0, "upstream_timeout")]
    response = Response(200, partial=("b",), error="x")
    line = json.loads(access_line(finished(response, calls=calls)))
    assert line["calls"] == [
        {"call": "a", "status": 200, "ms": 1.5},
        {"call": "b", "status": 0, "ms": 2.0, "error": "upstream_timeout"},
    ]
    assert (line["partial"], line["error"]) == (["b"], "x")


def test_neither_query_nor_headers_are_written(finished: Any) -> None:
    assert b"secret" not in access_line(finished())
    assert b"secret" not in access_line(finished(path=""))


@pytest.mark.parametrize("path", ['/a\n{"status":200}', '/"}', "/\ud800", "/\x1b[31m", "/\u2028"])
def test_a_client_cannot_forge_a_line(path: str, finished: Any) -> None:
    line = access_line(finished(path=path))
    assert b"\n" not in line
    assert json.loads(line)["status"] == 200
    assert b"\x1b" not in line


def test_a_long_path_is_cut(finished: Any) -> None:
    assert len(access_line(finished(path="/" + "a" * 100_000))) < 3000


async def test_only_requests_are_written_and_flushed_once_per_turn_of_the_loop(finished: Any) -> None:
    class Stream(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    stream = Stream()
    observe = access_log(stream)
    observe(Reloaded(1, "x", 0.1))
    observe(finished())
    observe(finished())
    await asyncio.sleep(0)
    assert (stream.getvalue().count(b"\n"), stream.flushed) == (2, 1)
    observe(finished())
    await asyncio.sleep(0)
    assert (stream.getvalue().count(b"\n"), stream.flushed) == (3, 2)


async def test_a_reader_that_went_away_takes_no_answer_with_it(finished: Any) -> None:
    class Gone(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    access_log(Gone())(finished())
    await asyncio.sleep(0)


def test_a_fan_out_says_how_many_requests_it_took(finished: Any) -> None:
    line = json.loads(access_line(finished(calls=[CallRecord("a", 200, 1.5, requests=7)])))
    assert line["calls"] == [{"call": "a", "status": 200, "ms": 1.5, "requests": 7}]


def test_a_target_that_was_never_parsed_is_written_without_its_query(finished: Any) -> None:
    line = json.loads(access_line(finished(path="", raw_target="/b%?token=secret?more")))
    assert line["path"] == "/b%"

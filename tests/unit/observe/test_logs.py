import json
import logging
import sys

import pytest

from proxy.observe.logs import JsonFormatter, set_up_logging


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("proxy.x", logging.WARNING, "f.py", 1, message, arguments, None)


def test_a_record_is_one_json_line() -> None:
    line = json.loads(JsonFormatter().format(record("a %s", "b\nc")))
    assert line.pop("time")
    assert line == {"level": "warning", "logger": "proxy.x", "message": "a b\nc"}


def test_an_exception_is_part_of_the_line() -> None:
    failed = record("it failed")
    try:
        raise ValueError("why")
    except ValueError:
        failed.exc_info = sys.exc_info()
    text = JsonFormatter().format(failed)
    assert "\n" not in text
    assert "ValueError: why" in json.loads(text)["exception"]


def test_everything_that_is_logged_goes_to_standard_error_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = logging.getLogger().handlers[:]
    try:
        set_up_logging()
        logging.getLogger("proxy.test").info("hello")
    finally:
        logging.getLogger().handlers[:] = before
    captured = capsys.readouterr()
    assert json.loads(captured.err)["message"] == "hello"
    assert captured.out == ""

"""The program's own log: JSON lines on standard error, beside the access log on standard output."""

import logging
import sys

import msgspec

from proxy.clock import timestamp


class JsonFormatter(logging.Formatter):
    """One record as one JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": timestamp(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode({name: _writable(text) for name, text in line.items()}).decode()


def _writable(text: object) -> object:
    """Text without halves of surrogate pairs, as names of files may hold."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


def set_up_logging(level: str = "INFO") -> None:
    """Send everything that is logged to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)

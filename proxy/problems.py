"""What is wrong with a configuration: where, what, and what to write instead.

Every check reports into one list, so that a user sees all problems of all files in one run. A `Place` says
where in the document a check is looking; it is handed down with the value, and knows the span only when asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file. Lines and columns count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a configuration.

    `code` is stable and is what the documentation lists; `hint` says what to write instead, or is empty.
    """

    span: Span
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        hint = f" – {self.hint}" if self.hint else ""
        text = f"{self.span.file}:{self.span.line}:{self.span.column}: {self.message} [{self.code}]{hint}"
        # What a file holds must not reach a terminal as a command.
        return (
            text if text.isprintable() else "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
        )


class Invalid(Exception):
    """A value that cannot work, said by code that knows the value but not its place.

    `offset` counts characters from the start of the value to the fault.
    """

    def __init__(self, code: str, message: str, hint: str = "", *, offset: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.offset = offset


class Place(Struct, eq=False):
    """A spot in the configuration: a chain of keys and indices up to the document.

    Hundreds of thousands are made while a large file is checked and hardly any is asked for its span, so one is
    no more than its key and the place around it.
    """

    found: list[Problem]
    _locate: Callable[[Path, bool], Span]
    _outer: "Place | None" = None
    _key: str | int = ""

    def __truediv__(self, key: str | int) -> "Place":
        """The place of one key or index inside this one."""
        return Place(self.found, self._locate, self, key)

    @property
    def path(self) -> Path:
        """The keys and indices that lead here."""
        keys: list[str | int] = []
        place = self
        while place._outer is not None:
            keys.append(place._key)
            place = place._outer
        return tuple(reversed(keys))

    def problem(self, code: str, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Report an error here; `at_key` points at the key instead of its value."""
        self.found.append(Problem(span=self._locate(self.path, at_key), code=code, message=message, hint=hint))

    def warning(self, code: str, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Report something that works but is probably not meant."""
        span = self._locate(self.path, at_key)
        self.found.append(Problem(span=span, code=code, message=message, hint=hint, severity="warning"))

    def invalid(self, error: Invalid) -> None:
        """Report what a parser or compiler found wrong with the value here."""
        self.problem(error.code, error.message, error.hint)

    def span(self) -> Span:
        return self._locate(self.path, False)


def did_you_mean(word: str, known: tuple[str, ...] | list[str] | frozenset[str]) -> str:
    """A hint that names the nearest known word, or says nothing."""
    near = get_close_matches(word, sorted(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""

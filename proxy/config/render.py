"""How problems look: one line each, the source line, a caret; and as JSON."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from proxy.problems import Problem

_WIDTH = 120
_RED, _YELLOW, _BOLD, _DIM, _OFF = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


def render(problems: Sequence[Problem], texts: Mapping[str, str], colour: bool) -> str:
    """All problems in the order of their places, with their source lines, and a line that counts them."""
    lines = {file: text.splitlines() for file, text in texts.items()}
    blocks = [_render_one(problem, lines.get(problem.span.file, []), colour) for problem in ordered(problems)]
    return "\n".join([*blocks, count(problems)])


def ordered(problems: Sequence[Problem]) -> list[Problem]:
    """By file, line and column, each once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.span)


def count(problems: Sequence[Problem]) -> str:
    """`2 errors, 1 warning`"""
    errors = sum(problem.severity == "error" for problem in dict.fromkeys(problems))
    warnings = len(dict.fromkeys(problems)) - errors
    parts = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((errors, "error"), (warnings, "warning"))
        if number
    ]
    return ", ".join(parts) or "no problems"


def to_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems as JSON objects, in the order of their places."""
    return [
        {
            "file": problem.span.file.encode("utf-8", "backslashreplace").decode(),
            "line": problem.span.line,
            "column": problem.span.column,
            "severity": problem.severity,
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in ordered(problems)
    ]


def _render_one(problem: Problem, lines: Sequence[str], colour: bool) -> str:
    head = str(problem) if problem.severity == "error" else f"{problem} (warning)"
    if colour:
        head = f"{_BOLD}{_RED if problem.severity == 'error' else _YELLOW}{head}{_OFF}"
    if not 0 < problem.span.line <= len(lines) or not lines[problem.span.line - 1].strip():
        return head
    source, pad = _excerpt(lines[problem.span.line - 1], problem.span.column)
    margin = f"{problem.span.line:>5} | "
    caret = " " * (len(margin) - 2) + "| " + pad + "^"
    if colour:
        return f"{head}\n{_DIM}{margin}{_OFF}{source}\n{_DIM}{caret}{_OFF}"
    return f"{head}\n{margin}{source}\n{caret}"


def _excerpt(line: str, column: int) -> tuple[str, str]:
    """The line, cut around the column if it is long, and the blank that brings a caret under the column."""
    start = max(0, column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
    cut = "".join(
        char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}"
        for char in line[start : start + _WIDTH]
    )
    head = "…" if start else ""
    before = cut[: column - 1 - start]
    pad = "".join("\t" if char == "\t" else " " * _cells(char) for char in before)
    return head + cut, " " * len(head) + pad


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1

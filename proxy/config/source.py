"""Reads the files of a configuration: the only module of the language that touches the disk."""

import glob
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from proxy.config.tree import Mapping, Node, Scalar, Sequence, parse_tree
from proxy.problems import Problem, Span

MAX_FILE = 32 * 1024 * 1024
_SECRET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(slots=True)
class Sources:
    """What was read. `watched` has every file and glob that was looked for, found or not, and the fingerprint of what
    was read from it, so that a change since then is seen however soon it comes."""

    root: Node | None = None
    included: list[Node] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    watched: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: bool = False


def read_sources(path: str) -> Sources:
    """Read a configuration and everything that it includes, parsed."""
    sources = Sources()
    text = _read(path, Span(path, 1, 1), sources)
    if text is None:
        sources.unreadable = True
        return sources
    sources.root = _parse(path, text, sources)
    if sources.root is not None:
        _include(sources.root, path, sources, (os.path.realpath(path),))
    return sources


# Stand where a fingerprint does: a file that is not there, and a glob, which stands for files.
ABSENT, GLOB = b"absent", b"glob"


def fingerprint(data: bytes) -> bytes:
    """What tells one content of a file from another."""
    return hashlib.blake2b(data, digest_size=16).digest()


def read_limited(path: str) -> bytes:
    """A file's content, cut one byte over `MAX_FILE`. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(MAX_FILE + 1)


def secret_reader(folder: str, watched: dict[str, bytes]) -> Callable[[str], str | None]:
    """A function from a secret's name to its text. Each file that it looks for is added to `watched`."""

    def read(name: str) -> str | None:
        if not _SECRET_NAME.fullmatch(name):
            return None
        path = os.path.join(folder, name)
        try:
            data = read_limited(path)
            watched[path] = fingerprint(data)
            return data.decode().removesuffix("\n").removesuffix("\r")
        except OSError:
            watched[path] = ABSENT
            return None
        except UnicodeDecodeError:
            return None

    return read


def _read(path: str, wanted_at: Span, sources: Sources) -> str | None:
    try:
        data = read_limited(path)
        sources.watched[path] = fingerprint(data)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        sources.watched[path] = ABSENT
        why = (getattr(error, "strerror", None) or str(error)).lower()
        message = f"cannot read {path!r}: {why}" if "\0" in path else f"cannot read {path}: {why}"
        sources.problems.append(
            Problem(span=wanted_at, code="unreadable-file", message=message, hint="check the path and its permissions")
        )
        return None
    if len(data) > MAX_FILE:
        message = f"{path} is larger than {MAX_FILE // 1024**2} MiB"
        sources.problems.append(
            Problem(span=wanted_at, code="file-too-large", message=message, hint="split it with include:")
        )
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The error counts bytes, from behind a byte order mark.
        before = data.removeprefix(b"\xef\xbb\xbf")[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        span = Span(path, line, column)
        sources.problems.append(
            Problem(span=span, code="not-utf8", message="this byte is not UTF-8", hint="save the file as UTF-8")
        )
        return None
    sources.texts[path] = text
    return text


def _parse(path: str, text: str, sources: Sources) -> Node | None:
    root, problems = parse_tree(text, path)
    sources.problems.extend(problems)
    if root is None and not problems:
        sources.problems.append(
            Problem(span=Span(path, 1, 1), code="empty-file", message="the file is empty", hint="start with version: 1")
        )
    return root


def _include(node: Node, path: str, sources: Sources, trail: tuple[str, ...]) -> None:
    for pattern in _patterns(node):
        folder = os.path.dirname(path)
        is_glob = glob.has_magic(pattern.value) and "\0" not in pattern.value
        full = os.path.join(glob.escape(folder) if is_glob else folder, pattern.value)
        if is_glob:
            sources.watched[full] = GLOB
        span = Span(pattern.file, pattern.line, pattern.column)
        found = sorted(glob.glob(full, recursive=True)) if is_glob else [full]
        for name in found:
            real = os.path.realpath(name) if "\0" not in name else name
            if real in trail:
                message = f"{name} includes itself"
                sources.problems.append(
                    Problem(span=span, code="include-cycle", message=message, hint="remove one of the includes")
                )
                continue
            text = _read(name, span, sources)
            inner = _parse(name, text, sources) if text is not None else None
            if inner is not None:
                sources.included.append(inner)
                _include(inner, name, sources, (*trail, real))


def _patterns(node: Node) -> list[Scalar]:
    """The `include` of a document, whatever else is wrong with it."""
    include = node.entries.get("include") if isinstance(node, Mapping) else None
    items = include.items if isinstance(include, Sequence) else [include]
    return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]

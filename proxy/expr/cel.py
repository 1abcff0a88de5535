"""CEL, the Common Expression Language, for deciding and computing.

The only importer of the `cel` module, which takes half a second to load and so is loaded when a configuration first
uses it. A program is given the roots that it names and nothing else: converting a large document costs milliseconds.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from proxy.document import plain_numbers
from proxy.expr.expression import CALL_FIELDS, FIELDS, Expression
from proxy.expr.functions import FUNCTIONS
from proxy.expr.scope import MISSING, Evaluate, Reference, Scope, Vocabulary
from proxy.problems import Invalid, did_you_mean


class CelFailed(ValueError):
    """A condition or computation that cannot be evaluated over the values it met."""


STANDARD = frozenset(
    {
        "all",
        "bool",
        "bytes",
        "contains",
        "double",
        "duration",
        "dyn",
        "endsWith",
        "exists",
        "exists_one",
        "filter",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "has",
        "int",
        "map",
        "matches",
        "size",
        "startsWith",
        "string",
        "timestamp",
        "type",
        "uint",
    }
)
_TYPES = frozenset({"int", "uint", "double", "string", "bool", "bytes", "list", "map", "null_type", "type", "dyn"})
_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_TOKEN = re.compile(
    r"(?P<string>[bBrR]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>\d[\w.]*)|(?P<space>\s+)|(?P<punctuation>[=!<>]=|&&|\|\||.)",
    re.S,
)
_Token = tuple[str, str]


def compile_cel(text: object, names: Vocabulary) -> Expression:
    """Compile a CEL expression; evaluating raises `CelFailed`.

    Raises `Invalid` for a syntax error, an unknown root, call, parameter, field or function.
    """
    if isinstance(text, bool):
        return Expression(str(text).lower(), lambda scope: text)
    if not isinstance(text, str):
        raise Invalid("bad-cel", f"a condition is text, not {type(text).__name__}", "quote it: 'size(items) > 0'")
    _program(text)  # so that a syntax error speaks of the text as it was written
    tokens = list(_tokenize(text))
    program, functions = _program(_rewrite(text, tokens))
    bound = _bound_names(tokens)
    reads = tuple(_references(text, tokens, bound, names))
    _check_functions(text, functions)
    constants = {name: value for name, value in names.constants if name in program.variables()}
    roots = sorted({reference.root for reference in reads})
    extra = {**constants, **{name: FUNCTIONS[name] for name in functions if name in FUNCTIONS}}
    return Expression(text, _evaluator(text, program.execute, tuple(roots), extra), reads)


def _evaluator(
    text: str, execute: Callable[[dict[str, Any]], Any], roots: tuple[str, ...], extra: dict[str, Any]
) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            # The library takes no subclass of float, and ours remembers its text.
            variables = {root: _given(scope.get(root)) for root in roots}
            variables.update(extra)
            return _ordered(execute(variables))
        except Exception as error:  # the library raises five kinds, none of them its own
            missing = f"there is no {error}" if isinstance(error, KeyError) else _first_line(error)
            raise CelFailed(f"{text}: {missing}") from None

    return evaluate


def _ordered(value: Any) -> Any:
    """The library's maps have no order, and another one each time: their keys are sorted, so that bytes are stable."""
    if type(value) is dict:
        return {key: _ordered(value[key]) for key in sorted(value, key=str)}
    return [_ordered(inner) for inner in value] if type(value) is list else value


def _given(value: Any) -> Any:
    return None if value is MISSING else plain_numbers(value)


@lru_cache(maxsize=8192)
def _program(text: str) -> tuple[Any, tuple[str, ...]]:
    import cel  # noqa: PLC0415 – half a second that a configuration without CEL does not pay

    try:
        program = cel.compile(text)
    except ValueError as error:
        found = re.search(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)", str(error))
        offset = int(found[2]) - 1 if found and found[1] == "1" else 0
        message = found[3] if found else _first_line(error)
        raise Invalid("bad-cel", f"{text!r} is not CEL: {message}", _syntax_hint(text), offset=offset) from None
    return program, tuple(name for name in program.functions() if name[0].isalpha())


def _syntax_hint(text: str) -> str:
    if "$." in text or "${" in text:
        return "in CEL the roots stand without $.: user.name"
    if re.search(r"[^=!<>]=[^=]", text):
        return "compare with =="
    if re.search(r"\b(and|or|not)\b", text):
        return "write &&, || and !"
    return ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _tokenize(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "punctuation"
        if kind != "space":
            yield kind, found.group()


def _bound_names(tokens: list[_Token]) -> frozenset[str]:
    """The names that comprehension macros bind: the `x` in `items.map(x, …)`."""
    bound = set()
    for index in range(len(tokens) - 4):
        dot, macro, paren, name, comma = (token[1] for token in tokens[index : index + 5])
        if dot == "." and macro in _MACROS and paren == "(" and comma == "," and tokens[index + 3][0] == "name":
            bound.add(name)
    return frozenset(bound)


def _chain(tokens: list[_Token], start: int) -> list[str]:
    """The names of `a.b.c` or `a["b"].c` from `start`, as far as they are literal."""
    keys = [tokens[start][1]]
    at = start + 1
    while at + 1 < len(tokens):
        if tokens[at][1] == "." and tokens[at + 1][0] == "name":
            keys.append(tokens[at + 1][1])
            at += 2
        elif tokens[at][1] == "[" and tokens[at + 1][0] == "string" and at + 2 < len(tokens):
            keys.append(tokens[at + 1][1].strip("'\""))
            at += 3
        else:
            break
    return keys


def _references(text: str, tokens: list[_Token], bound: frozenset[str], names: Vocabulary) -> Iterator[Reference]:
    constants = {name for name, _ in names.constants}
    for index, (kind, word) in enumerate(tokens):
        if kind != "name" or (index and tokens[index - 1][1] == ".") or word in bound or word in constants:
            continue
        following = tokens[index + 1][1] if index + 1 < len(tokens) else ""
        if following == "(" or word in ("true", "false", "null", "in") or (word in _TYPES and not names.knows(word)):
            continue
        if following == ":" and index and tokens[index - 1][1] in "{,":
            continue  # a field of a message literal, not a name
        if not names.knows(word):
            known = did_you_mean(word, names.roots | constants) or "roots are calls, params, query, headers, body, …"
            raise Invalid(
                "unknown-root", f"{text!r} names {word!r}, which is neither a call nor a part of the request", known
            )
        yield _reference(text, _chain(tokens, index), names)


def _reference(text: str, chain: list[str], names: Vocabulary) -> Reference:
    root, field = chain[0], chain[1] if len(chain) > 1 else None
    if root in names.local:
        return Reference(root, None, text)
    if root == "calls":
        if field not in names.calls:
            hint = did_you_mean(field or "", names.calls) or "write calls.<call>.status"
            raise Invalid("unknown-call", f"{text!r} names no call of this route", hint)
        if len(chain) > 2 and chain[2] not in CALL_FIELDS:
            hint = did_you_mean(chain[2], CALL_FIELDS) or f"a call has {', '.join(CALL_FIELDS)}"
            raise Invalid("unknown-field", f"{text!r} names nothing that is known of a call", hint)
        return Reference(root, field, text)
    if root == "params" and field is not None and field not in names.params:
        raise Invalid(
            "unknown-param",
            f"{text!r} names no parameter of this route's path",
            did_you_mean(field, names.params) or "parameters are written in match: /users/{id}",
        )
    if root in FIELDS and field is not None and field not in FIELDS[root]:
        raise Invalid("unknown-field", f"{text!r}: {root} has no {field!r}", f"{root} has {', '.join(FIELDS[root])}")
    return Reference(root, root if root in names.calls else None, text)


def _check_functions(text: str, functions: tuple[str, ...]) -> None:
    for name in functions:
        if name not in STANDARD and name not in FUNCTIONS:
            hint = did_you_mean(name, STANDARD | frozenset(FUNCTIONS)) or f"known are {', '.join(sorted(FUNCTIONS))}"
            raise Invalid("unknown-function", f"{text!r} calls {name}(), which does not exist", hint)


def _rewrite(text: str, tokens: list[_Token]) -> str:
    """Make header names case-insensitive and `default(a.b, x)` safe for what is not there.

    CEL has no lazy arguments: `default(user.nick, "")` would fail before it is called. The first argument is
    therefore guarded by `has`, step by step, where it is a plain selection.
    """
    words = [word for _, word in tokens]
    if "default" not in words and "headers" not in words:
        return text
    for index, word in enumerate(words):
        if (
            word == "["
            and index + 1 < len(words)
            and tokens[index + 1][0] == "string"
            and _indexes_headers(words, index)
        ):
            words[index + 1] = words[index + 1].lower()
    for index in range(len(words) - 2):
        if words[index] == "default" and words[index + 1] == "(" and tokens[index + 2][0] == "name":
            keys, end = _selection(words, tokens, index + 2)
            if len(keys) > 1 and end < len(words) and words[end] == ",":
                words[index + 2] = _guarded(keys)
                words[index + 3 : end] = [""] * (end - index - 3)
    return " ".join(word for word in words if word)


def _indexes_headers(words: list[str], bracket: int) -> bool:
    """Whether the bracket at this index follows the root `headers` or `calls.<name>.headers`."""
    before = words[max(0, bracket - 5) : bracket]
    if not before or before[-1] != "headers":
        return False
    return len(before) < 2 or before[-2] != "." or (len(before) == 5 and before[0] == "calls")


def _selection(words: list[str], tokens: list[_Token], start: int) -> tuple[list[str], int]:
    """The steps of `a.b["c"]` as they are written, `a`, `.b`, `["c"]`, and the index behind them."""
    keys, at = [words[start]], start + 1
    while at + 1 < len(words):
        if words[at] == "." and tokens[at + 1][0] == "name":
            keys.append(f".{words[at + 1]}")
            at += 2
        elif words[at] == "[" and tokens[at + 1][0] == "string" and at + 2 < len(words) and words[at + 2] == "]":
            keys.append(f"[{words[at + 1]}]")
            at += 3
        else:
            break
    return keys, at


def _guarded(keys: list[str]) -> str:
    guards = []
    for length in range(1, len(keys)):
        parent, key = "".join(keys[:length]), keys[length]
        there = f"has({parent}{key})" if key.startswith(".") else f"{key[1:-1]} in {parent}"
        guards.append(f"{parent} != null && {there}")
    return f"({' && '.join(guards)} ? {''.join(keys)} : null)"

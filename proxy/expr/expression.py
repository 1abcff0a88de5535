"""What a string in routes.yaml may be: a literal, a value from the context document, or text with holes.

"plain text"                      a literal
"$.user.name ?? $.query.n ?? 'x'" a value, its type kept: the first that is present and not null
"Hello ${user.name ?? 'you'}"     text; a hole that has no scalar value makes the whole text missing
"$$.x"   "a $${b}"                the literals "$.x" and "a ${b}"
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from proxy.document import InvalidJson, decode_json, is_raw_null, scalar_text
from proxy.errors import ExtractionFailed, MissingValue
from proxy.expr.jsonpath import Name, Path, Step, parse_path
from proxy.expr.known import Mismatch, follow, warn_of_mismatch
from proxy.expr.lower import lower_steps
from proxy.expr.scope import MISSING, REQUEST_ROOTS, Evaluate, Reference, Scope, Vocabulary
from proxy.problems import Invalid, Place, did_you_mean


class Expression(Struct, frozen=True):
    """A compiled string. `evaluate` gives a JSON value or MISSING; `reads` is what it depends on."""

    text: str
    evaluate: Evaluate
    reads: tuple[Reference, ...] = ()
    plural: bool = False

    @property
    def constant(self) -> bool:
        """Whether it has the same value for every request."""
        return not self.reads


def literal(value: Any) -> Expression:
    """An expression that is a value."""
    return Expression(str(value), lambda scope: value)


def compile_string(text: str, names: Vocabulary) -> Expression:
    """Compile a string by its looks. Raises `Invalid` for an expression that cannot work."""
    if text.startswith("$."):
        return compile_alternatives(text, names)
    if "${" in text:
        return compile_text(text, names)
    return literal(unescape(text))


def unescape(text: str) -> str:
    """A literal string without the escapes that made it one."""
    return (text[1:] if text.startswith("$$") and not text.startswith("$${") else text).replace("$${", "${")


def compile_alternatives(text: str, names: Vocabulary, *, in_hole: bool = False) -> Expression:
    """Compile `a ?? b ?? "literal"`: the first operand that is present and not null."""
    if "??" not in text:
        return _operand(text.strip(), names, in_hole)
    operands = [_operand(operand, names, in_hole) for operand in split_alternatives(text)]
    reads = tuple(reference for operand in operands for reference in operand.reads)
    plural = any(operand.plural for operand in operands)
    first, *others = [operand.evaluate for operand in operands]

    def evaluate(scope: Scope) -> Any:
        value = first(scope)
        for other in others:
            if value is not MISSING and value is not None and not is_raw_null(value):
                return value
            value = other(scope)
        return value

    return Expression(text, evaluate, reads, plural)


def compile_text(text: str, names: Vocabulary) -> Expression:
    """Compile text with holes. A hole without a scalar value raises `ExtractionFailed` when evaluated."""
    parts = [part if isinstance(part, str) else compile_hole(part, names) for part in split_holes(text)]
    reads = tuple(ref for part in parts if not isinstance(part, str) for ref in part.reads)
    steps: list[str | tuple[str, Evaluate, bool]] = [
        part if isinstance(part, str) else (part.text, part.evaluate, only_client(part.reads)) for part in parts
    ]

    def evaluate(scope: Scope) -> str:
        return "".join(
            step if isinstance(step, str) else render_hole(step[0], step[1](scope), client=step[2]) for step in steps
        )

    return Expression(text, evaluate, reads)


def compile_hole(hole: "Hole", names: Vocabulary) -> Expression:
    """Compile what stands inside `${…}`: a path without its `$.`, with alternatives; one value."""
    expression = compile_alternatives(hole.text, names, in_hole=True)
    if expression.plural:
        raise Invalid(
            "plural-path",
            f"${{{hole.text}}} selects a list where one value is needed",
            "select one with an index such as [0]",
            offset=hole.offset,
        )
    if expression.constant and scalar_text(expression.evaluate(Scope({}))) is None:
        raise Invalid(
            "bad-template",
            f"${{{hole.text}}} has no text: it is null, a list or an object",
            'write a string, a number or a boolean, or "" for none',
            offset=hole.offset,
        )
    return expression


def render_hole(text: str, value: Any, *, client: bool = False) -> str:
    """The text of one hole's value. Raises `ExtractionFailed` for what has no text (`MissingValue`: the client's)."""
    rendered = scalar_text(value)
    if rendered is None:
        kind = {list: "a list", dict: "an object", type(None): "null"}.get(type(value), "missing")
        kind_of_failure = MissingValue if client else ExtractionFailed
        raise kind_of_failure(f"${{{text.removeprefix('$.')}}} is {kind}; text needs a string, a number or a boolean")
    return rendered


def or_missing(evaluate: Evaluate) -> Evaluate:
    """The same evaluation where a text that cannot be made is missing instead of a failure (merge)."""

    def lenient(scope: Scope) -> Any:
        try:
            return evaluate(scope)
        except ExtractionFailed:
            return MISSING

    return lenient


class Hole(Struct, frozen=True):
    """The inside of one `${…}`, and where it starts in the text."""

    text: str
    offset: int


_OPENING = re.compile(r"\$\$\{|\$\{")


def split_holes(text: str) -> list[str | Hole]:
    """Literal pieces (unescaped) and holes in order. Raises `Invalid` for a hole that is not closed."""
    parts: list[str | Hole] = []
    pending = text[1:] if text.startswith("$$") and not text.startswith("$${") else text
    shift = len(text) - len(pending)
    at, literal_text = 0, ""
    while found := _OPENING.search(pending, at):
        literal_text += pending[at : found.start()]
        if found.group() == "$${":
            literal_text, at = literal_text + "${", found.end()
            continue
        end = _closing_brace(pending, found.end())
        if end is None:
            raise Invalid(
                "bad-template", f"{text!r} has a ${{ without its }}", "write $${ for a literal ${", offset=found.start()
            )
        if literal_text:
            parts.append(literal_text)
        parts.append(Hole(pending[found.end() : end].strip(), shift + found.end()))
        at, literal_text = end + 1, ""
    if literal_text := literal_text + pending[at:]:
        parts.append(literal_text)
    return parts


def _closing_brace(text: str, start: int) -> int | None:
    """The index of the brace that closes a hole; quotes and inner braces are stepped over."""
    depth, quote = 0, ""
    for at in range(start, len(text)):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return at
            depth -= 1
    return None


def split_alternatives(text: str) -> list[str]:
    """The operands between `??`, outside quotes and brackets, stripped."""
    if "??" not in text:
        return [text.strip()]
    operands, start, depth, quote, at = [], 0, 0, "", 0
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith("??", at):
            operands.append(text[start:at].strip())
            start = at = at + 2
            continue
        at += 1
    return [*operands, text[start:].strip()]


_LITERAL = re.compile(r"""(?:["'\[{0-9]|-[0-9]|(?:true|false|null)$)""")


def _operand(text: str, names: Vocabulary, in_hole: bool) -> Expression:
    if not text:
        raise Invalid("bad-expression", "an operand of ?? is empty", 'write $.a ?? "default"')
    if text.startswith("$"):
        return bind(parse_path(text), names)
    if _LITERAL.match(text):
        return Expression(text, _constant(_literal_value(text)))
    if in_hole:
        return bind(parse_path(f"$.{text}"), names)
    raise Invalid("bad-expression", f"{text!r} is neither a path nor a literal", f'write $.{text} or "{text}"')


def _constant(value: Any) -> Evaluate:
    return lambda scope: value


def _literal_value(text: str) -> Any:
    if text.startswith("'") and text.endswith("'") and len(text) > 1 and "\\" not in text:
        return text[1:-1]
    try:
        return decode_json(text.encode())
    except InvalidJson:
        raise Invalid(
            "bad-expression", f"{text!r} is not a literal", 'literals are JSON: "text", 1, true, []'
        ) from None


def bind(path: Path, names: Vocabulary) -> Expression:
    """Tie a path over the context document to the names that exist where it stands.

    Raises `Invalid` for an unknown root, path parameter or field, with the nearest known name.
    """
    root, field = _root(path, names)
    if root in names.local:
        return _bound(path.text, root, None, root in names.chosen)
    if root in names.calls:
        return _bound(path.text, root, root)
    if root == "calls":
        return _bound(path.text, root, _called(path, names))
    _check_field(path, root, field, names)
    return _bound(path.text, root, None)


@lru_cache(maxsize=65536)
def _bound(text: str, root: str, call: str | None, chosen: bool = False) -> Expression:
    """The closure of a path whose names are known to exist. Equal paths share one, over all routes."""
    path = parse_path(text)
    steps = path.steps[1:]
    if root == "calls" and len(steps) > 2 and steps[1] == Name("headers"):
        steps = (*steps[:2], _lower_case(steps[2]), *steps[3:])
    elif root == "headers" and call is None and steps:
        steps = (_lower_case(steps[0]), *steps[1:])
    reference = Reference(root, call, path.text, chosen)
    return Expression(path.text, _select(root, steps), (reference,), path.plural)


def _select(root: str, steps: tuple[Step, ...]) -> Evaluate:
    match steps:
        case ():
            return lambda scope: scope.get(root, MISSING)
        case (Name(key),):  # what nearly every path is: one closure is faster than two
            return lambda scope: value.get(key, MISSING) if isinstance(value := scope.get(root), dict) else MISSING
    select = lower_steps(steps)
    return lambda scope: select(scope.get(root, MISSING))


_LOOP_HINTS = {
    "each": "$.each is the element in a call that has for_each: $.list",
    "batch": "$.batch is the chunk in a call that has batch: {from: $.list}",
    "item": "$.item is the element inside $each, in its value, where and pick",
}


def _root(path: Path, names: Vocabulary) -> tuple[str, str | None]:
    if not path.steps or not isinstance(path.steps[0], Name):
        raise Invalid("unknown-root", f"{path.text!r} does not start with a name", "write $.<call> or $.params.<name>")
    root = path.steps[0].key
    if not names.knows(root):
        here = ", ".join(sorted(names.calls | names.local)) or "no calls"
        hint = did_you_mean(root, names.roots) or f"known here: {here}, params, query, headers, body …"
        hint = _LOOP_HINTS.get(root, hint)
        raise Invalid(
            "unknown-root",
            f"{path.text!r} starts with {root!r}, which is neither a call nor a part of the request",
            hint,
        )
    second = path.steps[1] if len(path.steps) > 1 else None
    return root, second.key if isinstance(second, Name) else None


CALL_FIELDS = ("status", "headers", "ok", "error", "ms")
FIELDS = {
    "client": ("ip", "port", "cert"),
    "request": ("id", "method", "path", "query", "host", "scheme"),
}


def _called(path: Path, names: Vocabulary) -> str:
    keys = [step.key for step in path.steps[1:3] if isinstance(step, Name)]
    if not keys or keys[0] not in names.calls:
        called = keys[0] if keys else ""
        hint = did_you_mean(called, names.calls) or "write $.calls.<call>.status"
        raise Invalid("unknown-call", f"{path.text!r} names no call of this route", hint)
    if len(keys) < 2 or keys[1] not in CALL_FIELDS:
        hint = (did_you_mean(keys[1], CALL_FIELDS) if len(keys) > 1 else "") or f"a call has {', '.join(CALL_FIELDS)}"
        raise Invalid("unknown-field", f"{path.text!r} names nothing that is known of a call", hint)
    return keys[0]


def _check_field(path: Path, root: str, field: str | None, names: Vocabulary) -> None:
    if root == "params" and field is not None and field not in names.params:
        known = f"the path has {', '.join(sorted(names.params))}" if names.params else "the path has no parameters"
        hint = did_you_mean(field, names.params) or known
        raise Invalid("unknown-param", f"{path.text!r} is not a parameter of this route's path", hint)
    if root in FIELDS and field is not None and field not in FIELDS[root]:
        hint = did_you_mean(field, FIELDS[root]) or f"{root} has {', '.join(FIELDS[root])}"
        raise Invalid("unknown-field", f"{path.text!r} is not a field of {root}", hint)


def _lower_case(step: Any) -> Any:
    return Name(step.key.lower()) if isinstance(step, Name) else step


def warn_of_samples(reads: Sequence[Reference], names: Vocabulary, place: Place) -> None:
    """Report the paths that cannot match what is known of the calls and loops that they read."""
    if not names.samples:
        return
    for reference in reads:
        known = dict(names.samples).get(reference.root)
        if known is not None and reference.text.startswith("$."):
            found = follow(known, parse_path(reference.text).steps[1:])
            if isinstance(found, Mismatch):
                warn_of_mismatch(reference.text, found, place)


def from_client(reads: Sequence[Reference]) -> bool:
    """Whether a value that these references give was chosen by the client."""
    return any(reference.root in REQUEST_ROOTS or reference.client for reference in reads)


def only_client(reads: Sequence[Reference]) -> bool:
    """Whether the request alone decides a value, so that it is known before any call is made."""
    return bool(reads) and all(reference.root in REQUEST_ROOTS for reference in reads)

"""Resolves `env` and `secret` in a tree, once, when it is loaded. Pure: both are arguments.

`${env.X ?? "default"}` becomes text, anywhere in a string; `$.env.X ?? …` a whole value. What comes in stays a literal:
dollar signs that the language would read are escaped. The secrets that came in are remembered, so that no message
repeats one.
"""

import re
from collections.abc import Callable
from collections.abc import Mapping as Environment

from proxy.config.tree import Mapping, Node, Scalar, Sequence
from proxy.expr.expression import Hole, split_alternatives, split_holes
from proxy.problems import Invalid, Problem, Span

_ROOT = re.compile(r"(?:\$\.)?(env|secret)\.([A-Za-z0-9_.-]+)")
_MENTIONS = re.compile(r"(?:env|secret)\.")
SecretReader = Callable[[str], str | None]


def mentions_environment(text: str) -> bool:
    """Whether a file's text can have anything to resolve: most large ones have not, and need no walk."""
    # In a quoted scalar a letter may be written as an escape.
    return _MENTIONS.search(text) is not None or "\\" in text


class Resolver:
    """Edits a tree in place: called while the tree is still being built, before anybody else has it."""

    def __init__(self, env: Environment[str, str], secret: SecretReader) -> None:
        self._env = env
        self._secret = secret
        self._seen: set[int] = set()
        self.problems: list[Problem] = []
        self.secrets: set[str] = set()

    def resolve(self, node: Node | None) -> None:
        """Resolve every string below `node`; aliased nodes once."""
        if isinstance(node, Scalar):
            if isinstance(node.value, str) and _MENTIONS.search(node.value) and id(node) not in self._seen:
                self._seen.add(id(node))
                self._resolve_scalar(node)
        elif isinstance(node, Mapping):
            for inner in node.entries.values():
                self.resolve(inner)
        elif isinstance(node, Sequence):
            for inner in node.items:
                self.resolve(inner)

    def _resolve_scalar(self, scalar: Scalar) -> None:
        text = scalar.value
        try:
            if text.startswith(("$.env.", "$.secret.")):
                scalar.value = escape(self._value(text))
            elif text.startswith("$."):
                if any(isinstance(part, Hole) and self._is_ours(part.text) for part in split_holes(text)):
                    raise Invalid(
                        "bad-env",
                        f"{text!r} has a variable inside an expression",
                        "a string that starts with $. is an expression; write the variable as a value of its own",
                    )
            elif "${" in text:
                scalar.value = self._text(text)
        except Invalid as error:
            span = Span(scalar.file, scalar.line, scalar.column)
            self.problems.append(Problem(span=span, code=error.code, message=error.message, hint=error.hint))
            scalar.value = ""

    def _text(self, text: str) -> str:
        """The text with its env and secret holes filled; every other hole stands as it was."""
        parts: list[str | Hole] = []
        for part in split_holes(text):
            piece = self._value(part.text) if isinstance(part, Hole) and self._is_ours(part.text) else part
            if isinstance(piece, str) and parts and isinstance(parts[-1], str):
                parts[-1] += piece
            else:
                parts.append(piece)
        return write_text(parts)

    @staticmethod
    def _is_ours(hole: str) -> bool:
        return _ROOT.match(hole) is not None

    def _value(self, text: str) -> str:
        operands = split_alternatives(text)
        for operand in operands:
            found = _ROOT.fullmatch(operand)
            if found is None:
                return _default(operand, text)
            root, name = found.groups()
            value = self._env.get(name) if root == "env" else self._secret(name)
            if value is not None:
                if root == "secret" and value:
                    self.secrets.add(value)
                return value
        root, name = _ROOT.fullmatch(operands[-1]).groups()  # type: ignore[union-attr]
        what = f"the environment variable {name}" if root == "env" else f"the secret {name!r}"
        hint = (
            f'set it, or write a default: ${{{root}.{name} ?? "…"}}'
            if root == "env"
            else f"put it into the secrets folder as {name}"
        )
        raise Invalid(f"unset-{root}", f"{what} is not set", hint)


def _default(operand: str, text: str) -> str:
    if len(operand) >= 2 and operand[0] == operand[-1] and operand[0] in "\"'":
        return operand[1:-1]
    if re.fullmatch(r"-?[0-9.]+|true|false", operand):
        return operand
    raise Invalid(
        "bad-env",
        f"{text!r} mixes what is known when loading with what is not",
        'env and secret take a default in quotes: ${env.X ?? "…"}',
    )


def write_text(parts: list[str | Hole]) -> str:
    """The string of the language that means these literal pieces and holes; what `split_holes` undoes."""
    written = ""
    for index, part in enumerate(parts):
        if isinstance(part, Hole):
            written += f"${{{part.text}}}"
        elif part.endswith("$") and index + 1 < len(parts):
            # Before a hole it would read as an escape: a hole of its own says it.
            plain = part.rstrip("$")
            written += _escape_holes(plain) + f"${{'{part[len(plain) :]}'}}"
        else:
            written += _escape_holes(part)
    return _escape_start(written)


def escape(value: str) -> str:
    """A value as a string of the language that means just it."""
    return write_text([value])


def _escape_holes(value: str) -> str:
    return value.replace("${", "$${")


def _escape_start(value: str) -> str:
    """Escape a dollar sign that came to stand first, where the language would read it."""
    return "$" + value if value.startswith(("$.", "$$")) and not value.startswith("$${") else value

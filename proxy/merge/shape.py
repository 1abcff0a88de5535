"""Compiles a value of routes.yaml — literals, expressions, operators, nested at will — into one closure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from proxy.expr.cel import CelFailed, compile_cel
from proxy.expr.expression import Expression, compile_string, or_missing, unescape, warn_of_samples
from proxy.expr.jsonpath import Index, Name, parse_path
from proxy.expr.known import Known, follow
from proxy.expr.needs import Mode, Use, uses
from proxy.expr.scope import MISSING, Evaluate, Reference, Scope, Vocabulary
from proxy.merge.keys import Keyed
from proxy.problems import Invalid, Place, did_you_mean


class Shape(Struct, frozen=True):
    """A compiled value. `evaluate` gives a JSON value or MISSING.

    `literal`: it is written out, so it can neither fail nor be missing. (An operator over literals can do both.)
    `moves` says how what it reads is used, where that is less than looking into all of it; `itself` which of these uses
    give the value itself, and not a part of it.
    """

    evaluate: Evaluate
    reads: tuple[Reference, ...] = ()
    literal: bool = False
    moves: tuple[Use, ...] | None = None
    itself: tuple[Use, ...] = ()

    @property
    def uses(self) -> tuple[Use, ...]:
        """How what it reads is used."""
        return uses(self.reads) if self.moves is None else self.moves

    def used_as(self, mode: Mode, keys: tuple[str, ...] = ()) -> tuple[Use, ...]:
        """How what it reads is used where the value is not moved whole: it is opened, or narrowed to `keys`."""
        itself = frozenset(self.itself)
        return tuple(Use(use.root, use.steps, mode, keys) if use in itself else use for use in self.uses)


NOTHING = Shape(lambda scope: None, literal=True)
"""Stands for a value with a problem, so that the check goes on to the next."""

Operator = Callable[["Shaper", Mapping[str, Any], Place], Shape]


class Shaper(Struct, frozen=True):
    """Compiles values where the same names are known.

    `strict` makes text that cannot be rendered a failure (a call's body) instead of null (merge);
    `omit_missing` leaves out the keys of missing values instead of writing null; `collections` are the calls whose
    elements have keys.
    """

    names: Vocabulary
    operators: Mapping[str, Operator]
    strict: bool = False
    omit_missing: bool = False
    collections: Mapping[str, Keyed] = MappingProxyType({})

    def compile(self, value: Any, place: Place) -> Shape:
        """Compile a value; problems go to `place`, and a value that has one becomes null."""
        if isinstance(value, str):
            return self._string(value, place)
        if isinstance(value, Mapping):
            return self._mapping(value, place)
        if isinstance(value, list):
            return self._list(value, place)
        return Shape(lambda scope: value, literal=True)

    def with_local(self, name: str, source: Any = None) -> "Shaper":
        """The same where a loop binds `name` to the elements of what `source` selects."""
        return replace(self, names=self.names.with_local(name, sample=element_sample(source, self.names)))

    def path(self, value: Any, place: Place, what: str) -> Shape:
        """Compile what has to be an expression or a nested operator (the source of `$each`)."""
        if isinstance(value, str) and not value.startswith("$."):
            place.problem(
                "bad-expression",
                f"{what} is a path, not {value!r}",
                f"write $.{value}, or {{$literal: …}} for a fixed value",
            )
            return NOTHING
        return self.compile(value, place)

    def condition(self, value: Any, place: Place) -> Shape:
        """Compile CEL; what fails to evaluate is null, and noted among the scope's faults."""
        try:
            expression = compile_cel(value, self.names)
        except Invalid as error:
            place.invalid(error)
            return NOTHING
        warn_of_constant(expression, place)
        return Shape(_noted(expression), expression.reads)

    def _string(self, text: str, place: Place) -> Shape:
        try:
            expression = compile_string(text, self.names)
        except Invalid as error:
            place.invalid(error)
            return NOTHING
        warn_of_samples(expression.reads, self.names, place)
        if expression.constant or self.strict:
            return Shape(expression.evaluate, expression.reads, expression.constant)
        # Only text with holes can fail; a path gives MISSING by itself.
        if text.startswith("$."):
            moves = uses(expression.reads, "move")
            return Shape(expression.evaluate, expression.reads, moves=moves, itself=moves)
        return Shape(or_missing(expression.evaluate), expression.reads)

    def _mapping(self, value: Mapping[str, Any], place: Place) -> Shape:
        names = [key for key in value if is_operator(key)]
        if not names:
            return self._object(value, place)
        operator = self.operators.get(names[0])
        if operator is None:
            hint = did_you_mean(names[0], list(self.operators)) or "write $$ for a key that starts with a dollar sign"
            (place / names[0]).problem("unknown-operator", f"unknown operator {names[0]!r}", hint, at_key=True)
            return NOTHING
        return operator(self, value, place)

    def _object(self, value: Mapping[str, Any], place: Place) -> Shape:
        shapes = {unescape(key): self.compile(inner, place / key) for key, inner in value.items()}
        reads = tuple(reference for shape in shapes.values() for reference in shape.reads)
        if all(shape.literal for shape in shapes.values()):
            constant = {key: shape.evaluate(Scope({})) for key, shape in shapes.items()}
            return Shape(lambda scope: constant, literal=True)
        items = tuple((key, shape.evaluate) for key, shape in shapes.items())
        moves = tuple(use for shape in shapes.values() for use in shape.uses)
        return Shape(_omitting(items) if self.omit_missing else _nulling(items), reads, moves=moves)

    def _list(self, value: list[Any], place: Place) -> Shape:
        shapes = [self.compile(inner, place / index) for index, inner in enumerate(value)]
        evaluators = tuple(shape.evaluate for shape in shapes)
        reads = tuple(reference for shape in shapes for reference in shape.reads)
        literal = all(shape.literal for shape in shapes)
        moves = tuple(use for shape in shapes for use in shape.uses)
        return Shape(lambda scope: [or_null(evaluate(scope)) for evaluate in evaluators], reads, literal, moves)


def warn_of_constant(expression: Expression, place: Place) -> None:
    """Report a condition that no request can change."""
    if not expression.constant:
        return
    try:
        value = expression.evaluate(Scope({}))
    except CelFailed:
        return
    if isinstance(value, bool):
        always = str(value).lower()
        place.warning(
            "constant-condition", f"this condition is always {always}", "leave it out, or let it read a value"
        )


def element_sample(source: Any, names: Vocabulary) -> Known | None:
    """What is known of the elements of a list that a path selects."""
    if not isinstance(source, str) or not source.startswith("$.") or "??" in source:
        return None
    try:
        steps = parse_path(source).steps
    except Invalid:
        return None
    known = dict(names.samples).get(steps[0].key) if steps and isinstance(steps[0], Name) else None
    found = None if known is None else follow(known, steps[1:] if parse_path(source).plural else (*steps[1:], Index(0)))
    return found if isinstance(found, Known) else None


def is_operator(key: str) -> bool:
    """Whether a key is an operator; `$$name` is the plain key `$name`."""
    return key.startswith("$") and not key.startswith("$$")


def or_null(value: Any) -> Any:
    """The value as it is written: a missing one is null."""
    return None if value is MISSING else value


def check_keys(value: Mapping[str, Any], known: tuple[str, ...], place: Place) -> bool:
    """Report keys that an operator does not take; True if there were none."""
    unknown = [key for key in value if key not in known]
    for key in unknown:
        hint = did_you_mean(key, known) or f"{known[0]} takes {', '.join(known[1:]) or 'nothing else'}"
        (place / key).problem("unknown-key", f"unknown key {key!r} beside {known[0]}", hint, at_key=True)
    return not unknown


def _nulling(items: tuple[tuple[str, Evaluate], ...]) -> Evaluate:
    def evaluate(scope: Scope) -> dict[str, Any]:
        return {key: None if (value := inner(scope)) is MISSING else value for key, inner in items}

    return evaluate


def _omitting(items: tuple[tuple[str, Evaluate], ...]) -> Evaluate:
    def evaluate(scope: Scope) -> dict[str, Any]:
        return {key: value for key, inner in items if (value := inner(scope)) is not MISSING}

    return evaluate


def _noted(expression: Expression) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            return expression.evaluate(scope)
        except CelFailed as error:
            scope.faults.append(str(error))
            return None

    return evaluate

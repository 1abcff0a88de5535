from typing import Any

import pytest


def text(validate: str) -> str:
    return f"version: 1\nroutes:\n  - name: r\n    match: POST /\n    reply: {{}}\n    validate:\n      {validate}\n"


def part(plan_of: Any, name: str, schema: str) -> Any:
    return plan_of(text(f"{name}: {schema}")).routes[0].validate.parts[name]


def test_faults_point_at_the_value_and_do_not_repeat_it(plan_of: Any) -> None:
    schema = (
        "{type: object, required: [id], properties: {pin: {type: string, pattern: '^[0-9]{4}$'}, n: {maximum: 1.5}}}"
    )
    plan = part(plan_of, "body", schema)
    assert plan.holds({"id": 1, "pin": "0000", "n": 1.5})
    faults = plan.faults({"pin": "the-secret", "n": 2}, 10)
    assert sorted(faults) == [
        ("#", '"id" is a required property'),
        ("#/n", "it is greater than the maximum of 1.5"),
        ("#/pin", 'it does not match "^[0-9]{4}$"'),
    ]
    assert len(plan.faults({"pin": "x", "n": 2}, 1)) == 1


def test_formats_are_held_to_and_openapis_say_nothing(plan_of: Any) -> None:
    schema = "{properties: {a: {format: uuid}, b: {type: integer, format: int64}, c: {format: date-time}}}"
    plan = part(plan_of, "body", schema)
    assert plan.holds({"a": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "b": 1, "c": "2026-11-23T10:00:00Z"})
    assert not plan.holds({"a": "7"})
    assert not plan.holds({"c": "yesterday"})


def test_an_older_draft_is_read_as_what_it_says_that_it_is(plan_of: Any) -> None:
    schema = "{$schema: 'http://json-schema.org/draft-04/schema#', maximum: 5, exclusiveMaximum: true}"
    assert not part(plan_of, "body", schema).holds(5)


def test_a_schema_may_refer_into_itself(plan_of: Any) -> None:
    schema = "{$ref: '#/$defs/node', $defs: {node: {type: object, properties: {next: {$ref: '#/$defs/node'}}}}}"
    plan = part(plan_of, "body", schema)
    assert plan.holds({"next": {"next": {}}})
    assert plan.faults({"next": {"next": 1}}, 5) == [("#/next/next", 'it is not of type "object"')]


def test_headers_have_no_case(plan_of: Any) -> None:
    schema = "{required: [X-Tenant], properties: {X-Count: {$ref: '#/$defs/n'}}, $defs: {n: {type: integer}}}"
    plan = part(plan_of, "headers", schema)
    assert plan.names == {"x-tenant", "x-count"}
    assert plan.holds({"x-tenant": "a", "x-count": 1})
    assert plan.types["x-count"][0] == {"integer"}


def test_a_pattern_that_would_take_for_ever_elsewhere_takes_no_time(plan_of: Any) -> None:
    plan = part(plan_of, "body", "{pattern: '^(a+)+$'}")
    assert not plan.holds("a" * 50_000 + "!")


TYPES = "there is array, boolean, integer, null, number, object, string"


@pytest.mark.parametrize(
    "schema,line,column,hint",
    [
        ("{type: strin}", 7, 20, TYPES),
        ("{properties: {a: {type: [integer, wrong]}}}", 7, 37, TYPES),
        ("{$ref: '#/$defs/gone'}", 7, 13, ""),
        ("{$ref: 'http://127.0.0.1/x'}", 7, 13, "nothing is fetched: write it under $defs, and refer to #/$defs/name"),
        ("{$ref: 'file:///etc/passwd'}", 7, 13, "nothing is fetched: write it under $defs, and refer to #/$defs/name"),
        ("{pattern: '(?=a)'}", 7, 23, "patterns take linear time here: no look-around, no back-references"),
        ("{format: zip}", 7, 22, ""),
        ("{minimum: x}", 7, 23, ""),
    ],
)
def test_a_wrong_schema_is_a_problem_where_it_is_wrong(
    schema: str, line: int, column: int, hint: str, problems_of: Any
) -> None:
    (problem,) = problems_of(text(f"body: {schema}"))
    assert (problem.code, problem.span.line, problem.hint) == ("bad-schema", line, hint)
    assert problem.span.column == column


def test_nothing_is_not_validated(codes_of: Any) -> None:
    assert codes_of(text("{}")) == ["missing-key"]


def test_the_package_that_is_missing_is_named(codes_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.plan.compile_validate.find_spec", lambda name: None)
    assert codes_of(text("body: true")) == ["missing-extra"]

from proxy.config.render import count, ordered, render, to_json
from proxy.problems import Problem, Severity, Span


def problem(line: int, column: int = 1, severity: Severity = "error", file: str = "a.yaml") -> Problem:
    return Problem(span=Span(file, line, column), code="c", message="m", hint="h", severity=severity)


def test_a_problem_is_shown_with_its_line_and_a_caret() -> None:
    text = render([problem(2, 3)], {"a.yaml": "one\n  two\n"}, colour=False)
    assert text.splitlines() == ["a.yaml:2:3: m [c] – h", "    2 |   two", "      |   ^", "1 error"]


def test_the_caret_stands_under_the_column_behind_tabs_and_wide_characters() -> None:
    tab = render([problem(1, 2)], {"a.yaml": "\tx"}, colour=False).splitlines()
    assert tab[2] == "      | \t^"
    wide = render([problem(1, 3)], {"a.yaml": "日本x"}, colour=False).splitlines()
    assert wide[2] == "      |     ^"


def test_a_long_line_is_cut_around_the_place() -> None:
    text = render([problem(1, 5000)], {"a.yaml": "x" * 4999 + "Y" + "z" * 5000}, colour=False).splitlines()
    assert len(text[1]) < 150
    assert text[1][text[2].index("^")] == "Y"


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in render([problem(1)], {"a.yaml": "a\x1b[31mb"}, colour=False)


def test_colour_is_only_there_when_asked_for() -> None:
    assert "\x1b[31m" in render([problem(1)], {}, colour=True)
    assert "\x1b" not in render([problem(1)], {}, colour=False)


def test_a_warning_is_marked_as_one() -> None:
    assert render([problem(1, severity="warning")], {}, colour=False).splitlines()[0].endswith("(warning)")


def test_problems_stand_in_the_order_of_their_places_each_once() -> None:
    found = ordered([problem(2), problem(1, 2), problem(1), problem(2), problem(9, file="0.yaml")])
    assert [(one.span.file, one.span.line, one.span.column) for one in found] == [
        ("0.yaml", 9, 1),
        ("a.yaml", 1, 1),
        ("a.yaml", 1, 2),
        ("a.yaml", 2, 1),
    ]


def test_errors_and_warnings_are_counted_apart() -> None:
    assert count([problem(1), problem(2), problem(1), problem(3, severity="warning")]) == "2 errors, 1 warning"
    assert count([]) == "no problems"


def test_problems_are_json_objects_for_machines() -> None:
    assert to_json([problem(2, 3)]) == [
        {"file": "a.yaml", "line": 2, "column": 3, "severity": "error", "code": "c", "message": "m", "hint": "h"}
    ]

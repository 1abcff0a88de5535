from proxy.problems import Invalid, Path, Place, Problem, Span, did_you_mean


def place(found: list[Problem]) -> Place:
    def locate(path: Path, at_key: bool) -> Span:
        return Span("f.yaml", len(path) + 1, 1 if at_key else 5)

    return Place(found, locate)


def test_a_problem_is_one_line_with_place_code_and_hint() -> None:
    problem = Problem(
        span=Span("a.yaml", 14, 7), code="unknown-key", message="unknown key 'x'", hint="did you mean 'y'?"
    )
    assert str(problem) == "a.yaml:14:7: unknown key 'x' [unknown-key] – did you mean 'y'?"


def test_a_problem_without_a_hint_ends_with_its_code() -> None:
    assert str(Problem(span=Span("a.yaml", 1, 2), code="c", message="m")) == "a.yaml:1:2: m [c]"


def test_a_place_knows_the_path_that_leads_to_it() -> None:
    assert (place([]) / "routes" / 3 / "match").path == ("routes", 3, "match")


def test_an_error_is_reported_at_the_value_or_at_the_key() -> None:
    found: list[Problem] = []
    (place(found) / "a").problem("one", "first")
    (place(found) / "a").problem("two", "second", at_key=True)
    assert [(problem.code, problem.span.line, problem.span.column) for problem in found] == [
        ("one", 2, 5),
        ("two", 2, 1),
    ]
    assert {problem.severity for problem in found} == {"error"}


def test_a_warning_is_not_an_error() -> None:
    found: list[Problem] = []
    place(found).warning("w", "hm")
    assert found[0].severity == "warning"


def test_what_a_parser_refused_keeps_its_code_and_hint() -> None:
    found: list[Problem] = []
    place(found).invalid(Invalid("bad", "no", "yes"))
    assert (found[0].code, found[0].message, found[0].hint) == ("bad", "no", "yes")


def test_the_nearest_word_is_suggested_and_nothing_for_a_strange_one() -> None:
    assert did_you_mean("timeuot", ["timeout", "title"]) == "did you mean 'timeout'?"
    assert did_you_mean("zzz", ["timeout"]) == ""

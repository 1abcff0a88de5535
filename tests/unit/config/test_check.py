from proxy.config.check import check_document, merge_documents
from proxy.config.tree import Mapping, Node, parse_tree
from proxy.problems import Problem


def parse(text: str, file: str = "routes.yaml") -> Node:
    node, problems = parse_tree(text, file)
    assert node is not None
    assert problems == []
    return node


def found(text: str) -> list[str]:
    problems: list[Problem] = []
    document = parse(text)
    assert isinstance(document, Mapping)
    check_document(document, "routes.yaml", problems)
    return [f"{one.span.line}:{one.span.column} {one.code} {one.message} | {one.hint}" for one in problems]


def test_a_good_document_becomes_a_model() -> None:
    problems: list[Problem] = []
    document = parse("version: 1\nupstreams: {u: http://u}\nroutes: [{name: a, match: GET /a, proxy: u}]\n")
    assert isinstance(document, Mapping)
    checked = check_document(document, "routes.yaml", problems)
    assert checked is not None
    assert problems == []
    assert [(index, route.name) for index, route in checked.routes] == [(0, "a")]
    assert [one.url for one in checked.config.upstreams["u"].urls] == ["http://u"]


def test_an_unknown_key_is_named_at_the_key_with_the_nearest() -> None:
    assert found("version: 1\nroutes:\n  - {name: a, match: /a, reply: {stauts: 200}}") == [
        "3:34 unknown-key unknown key 'stauts' | did you mean 'status'?"
    ]


def test_a_key_of_an_inner_mapping_is_looked_up_there() -> None:
    assert found("version: 1\nroutes: [{name: a, match: /a, calls: {x: {get: 'u:/', timeuot: 1s}}}]") == [
        "2:55 unknown-key unknown key 'timeuot' | did you mean 'timeout'?"
    ]


def test_a_key_that_resembles_none_comes_with_all_that_are_known() -> None:
    (problem,) = found("version: 1\nroutes: [{name: a, match: /a, redirect: {to: /, zzz: 1}}]")
    assert problem.endswith("| known here: to, status")


def test_a_missing_key_is_named_at_what_lacks_it() -> None:
    assert found("version: 1\nroutes:\n  - {match: /a, reply: {}}") == [
        "3:5 missing-key 'name' is missing | every route has a unique name"
    ]
    assert found("routes: []") == ["1:1 missing-key 'version' is missing | write version: 1"]


def test_a_wrong_type_is_said_in_words_of_yaml() -> None:
    assert found("version: 1\nroutes: [{name: 3, match: /a, reply: {status: '200'}}]") == [
        "2:17 wrong-type text is needed here, not 3 | quote it",
        "2:47 wrong-type a whole number is needed here, not '200' | ",
    ]
    assert found("version: 1\nupstreams: []\nroutes: {}") == [
        "2:12 wrong-type upstreams is a mapping | write name: http://host:port",
        "3:9 wrong-type routes is a list | start each route with '- name:'",
    ]


def test_everything_wrong_with_a_route_is_said_at_once() -> None:
    assert [
        line.split()[1] for line in found("version: 1\nroutes: [{match: 3, timeout: 3, tiemout: 1s, reply: {}}]")
    ] == [
        "missing-key",
        "wrong-type",
        "bad-duration",
        "unknown-key",
    ]


def test_included_upstreams_and_routes_are_added() -> None:
    problems: list[Problem] = []
    merged = merge_documents(
        parse("version: 1\nupstreams: {a: http://a}\nroutes: [1]"),
        [parse("upstreams: {b: http://b}\nroutes: [2]", "x.yaml"), parse("routes: [3]", "y.yaml")],
        problems,
    )
    assert problems == []
    assert merged is not None
    assert list(merged.entries["upstreams"].entries) == ["a", "b"]  # type: ignore[union-attr]
    assert [item.value for item in merged.entries["routes"].items] == [1, 2, 3]  # type: ignore[union-attr]


def test_included_providers_are_added_and_have_their_names_once() -> None:
    problems: list[Problem] = []
    merged = merge_documents(
        parse("version: 1\nauth: {a: {type: basic}}"),
        [parse("auth: {b: {type: basic}, a: {type: jwt}}", "x.yaml"), parse("auth: [1]", "y.yaml")],
        problems,
    )
    assert merged is not None
    assert list(merged.entries["auth"].entries) == ["a", "b"]  # type: ignore[union-attr]
    assert [f"{one.span.file}: {one.message}" for one in problems] == [
        "x.yaml: provider 'a' is declared twice",
        "y.yaml: auth is a mapping",
    ]


def test_what_an_included_file_may_not_say_is_a_problem_in_that_file() -> None:
    problems: list[Problem] = []
    merge_documents(parse("version: 1"), [parse("server: {}\nroutez: []", "x.yaml"), parse("[1]", "y.yaml")], problems)
    assert [(one.span.file, one.code, one.hint) for one in problems] == [
        ("y.yaml", "wrong-type", "start with version: 1"),
        ("x.yaml", "unknown-key", "move it to the main file"),
        ("x.yaml", "unknown-key", "did you mean 'routes'?"),
    ]


def test_a_wrong_type_in_the_main_file_is_not_hidden_by_an_included_one() -> None:
    problems: list[Problem] = []
    merged = merge_documents(parse("routes: {a: 1}"), [parse("routes: [2]", "x.yaml")], problems)
    assert isinstance(merged, Mapping)
    assert isinstance(merged.entries["routes"], Mapping)


def test_keys_of_aliased_fields_are_suggested_as_they_are_written() -> None:
    (problem,) = found("version: 1\nroutes: [{name: a, match: /a, calls: {x: {get: 'u:/', batch: {form: $.l}}}}]")[:1]
    assert "'from' is missing" in problem or "did you mean 'from'?" in problem


def test_an_upstream_that_two_files_declare_is_a_problem() -> None:
    problems: list[Problem] = []
    merge_documents(parse("upstreams: {a: http://a}"), [parse("upstreams: {a: http://b}", "x.yaml")], problems)
    assert [(one.code, one.hint) for one in problems] == [("duplicate-name", "the first one is at routes.yaml:1")]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.expr.jsonpath import Index, Name, Wildcard, parse_path, parsed_steps
from proxy.problems import Invalid

# Words that jsonpath-ng keeps for itself cannot be compared with it.
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: name.lower() not in ("where", "wherenot", "parent", "contains", "startswith", "true", "false")
)
STEPS = st.one_of(
    NAMES.map(lambda name: f".{name}"),
    NAMES.map(lambda name: f"['{name}']"),
    st.integers(-5, 99).map(lambda at: f"[{at}]"),
    st.just("[*]"),
    st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda pair: f"[{pair[0]}:{pair[1]}]"),
)


@given(st.lists(STEPS, min_size=1, max_size=6).map(lambda steps: "$" + "".join(steps)))
def test_the_everyday_reading_is_that_of_jsonpath_ng(text: str) -> None:
    assert parse_path(text).steps == parsed_steps(text)


def test_names_indices_and_wildcards_become_steps() -> None:
    assert parse_path("$.a['b c'][0][*]").steps == (Name("a"), Name("b c"), Index(0), Wildcard())


@pytest.mark.parametrize("text", ["$.a", "$.a[0].b", "$.a[-1]", "$"])
def test_names_and_indices_alone_select_one_value(text: str) -> None:
    assert not parse_path(text).plural


@pytest.mark.parametrize("text", ["$.a[*]", "$.a[0:2]", "$..a", "$.a[?(@.b)]", "$.*"])
def test_anything_else_selects_a_list(text: str) -> None:
    assert parse_path(text).plural


def test_names_of_the_parsers_own_grammar_and_of_other_scripts_are_names() -> None:
    assert parse_path("$.where.été").steps == (Name("where"), Name("été"))


@pytest.mark.parametrize(
    "text,code",
    [
        ("$.a[?(@.id==$.b.id)]", "filter-compares-paths"),
        ("$.a[?(@.b =~ 'x+')]", "regex-filter"),
        ("$.a[?(@.b == 1 & @.c == 2)]", "deprecated-path"),
        ("$.a | $.b", "deprecated-path"),
        ("$.a[0,1]", "union-path"),
        ("$.a['b','c']", "union-path"),
        ("$.a + $.b", "unsupported-path"),
        ("$.a.`len`", "unsupported-path"),
        ("$.a.$.b", "unsupported-path"),
        ("$.a[", "bad-path"),
        ("a.b", "bad-path"),
        ("$.a[?(@.b[*] == 1)]", "plural-filter"),
        ("$.a[?(@.b == 1 || @.c == 2)]", "bad-path"),
    ],
)
def test_what_would_be_answered_wrongly_is_refused_with_advice(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_path(text)
    assert refused.value.code == code
    assert refused.value.hint

from typing import Any

import pytest

from proxy.plan.validate import pointer, value_of


@pytest.mark.parametrize(
    "texts,own,value",
    [
        (["10"], ["integer"], 10),
        (["-0"], ["integer"], 0),
        (["010"], ["integer"], "010"),
        (["1e3"], ["integer"], "1e3"),
        (["+1"], ["integer"], "+1"),
        (["9" * 101], ["integer"], "9" * 101),
        (["1e3"], ["number"], 1000.0),
        (["1e9999"], ["number"], "1e9999"),
        (["NaN"], ["number"], "NaN"),
        (["7"], ["number"], 7),
        (["true"], ["boolean"], True),
        (["True"], ["boolean"], "True"),
        (["10"], ["string"], "10"),
        (["10"], ["integer", "string"], 10),
        (["1", "2"], ["integer"], ["1", "2"]),
        (["\u0661"], ["integer"], "\u0661"),
    ],
)
def test_text_stands_for_what_the_schema_asks_for(texts: list[str], own: list[str], value: Any) -> None:
    found = value_of(texts, (frozenset(own), frozenset()))
    assert found == value
    assert type(found) is type(value)


def test_what_repeats_is_a_list_where_a_list_may_be() -> None:
    types = frozenset(["array"]), frozenset(["integer"])
    assert value_of(["1"], types) == [1]
    assert value_of(["1", "x"], types) == [1, "x"]


def test_of_what_no_schema_speaks_the_text_stays() -> None:
    assert value_of(["1"], None) == "1"
    assert value_of(["1", "2"], None) == ["1", "2"]


def test_a_pointer_escapes_what_it_is_made_of() -> None:
    assert pointer([]) == "#"
    assert pointer(["items", 0, "a/b~c"]) == "#/items/0/a~1b~0c"

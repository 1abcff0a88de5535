from hypothesis import given
from hypothesis import strategies as st

from proxy.plan.graph import Edge, Graph


def graph(calls: str, *edges: str) -> Graph:
    """`graph("abc", "a>b", "b~c")`: b reads a; c's fallback reads b."""
    return Graph(tuple(calls), tuple(Edge(one[0], one[2], one, fallback=one[1] == "~") for one in edges))


def test_sources_are_in_the_order_of_the_file_and_apart_for_a_fallback() -> None:
    made = graph("abcd", "c>d", "a>d", "b~d")
    assert made.sources("d") == ("a", "c")
    assert made.sources("d", fallback=True) == ("b",)


def test_a_cycle_is_found_with_its_edges_in_order() -> None:
    assert [edge.expression for edge in graph("abcd", "a>b", "b>c", "c>b", "d>a").cycle()] == ["b>c", "c>b"]


def test_a_call_that_reads_itself_is_a_cycle() -> None:
    assert [edge.expression for edge in graph("a", "a>a").cycle()] == ["a>a"]


def test_a_fallback_that_needs_its_own_dependant_is_a_cycle() -> None:
    assert graph("ab", "a>b", "b~a").cycle()


def test_a_diamond_is_no_cycle() -> None:
    assert graph("abcd", "a>b", "a>c", "b>d", "c>d").cycle() == ()


def test_the_critical_path_is_the_longest_chain() -> None:
    assert graph("abcd", "a>b", "b>c", "a>d").critical_path() == ("a", "b", "c")
    assert graph("").critical_path() == ()


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=15))
def test_an_order_exists_exactly_where_there_is_no_cycle(pairs: list[tuple[int, int]]) -> None:
    names = tuple("abcdefgh")
    made = Graph(names, tuple(Edge(names[one], names[other], "x") for one, other in pairs))
    if made.cycle():
        edges = made.cycle()
        assert [edge.target for edge in edges] == [*(edge.source for edge in edges[1:]), edges[0].source]
        return
    order = made.order()
    assert sorted(order) == list(names)
    assert all(order.index(edge.source) < order.index(edge.target) for edge in made.edges)

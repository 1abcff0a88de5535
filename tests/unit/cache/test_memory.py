from hypothesis import given
from hypothesis import strategies as st

from proxy.cache.memory import OVERHEAD, MemoryStore

ROOM = 8 * (OVERHEAD + 100)


def test_a_value_is_kept_until_its_time_is_over() -> None:
    store = MemoryStore(ROOM)
    store.put("a", "value", 10, now=100.0, dies_at=105.0)
    entry = store.get("a", 104.9)
    assert entry is not None
    assert (entry.value, entry.stored_at) == ("value", 100.0)
    assert store.get("a", 105.0) is None
    assert (len(store), store.size) == (0, 0)


def test_what_was_used_longest_ago_makes_room() -> None:
    store = MemoryStore(ROOM)
    for name in "abcdefgh":
        assert store.put(name, name, 100, 0.0, 9.0)
    store.get("a", 1.0)
    store.put("i", "i", 100, 1.0, 9.0)
    assert store.get("a", 1.0) is not None
    assert store.get("b", 1.0) is None


def test_one_value_never_takes_most_of_the_room() -> None:
    store = MemoryStore(ROOM)
    store.put("a", 1, 10, 0.0, 9.0)
    assert not store.put("b", 2, ROOM // 8, 0.0, 9.0)
    assert store.get("a", 0.0) is not None


def test_a_new_value_takes_the_place_of_the_old_also_when_it_cannot_be_kept() -> None:
    store = MemoryStore(ROOM)
    store.put("a", 1, 10, 0.0, 9.0)
    store.put("a", 2, ROOM, 0.0, 9.0)
    assert store.get("a", 0.0) is None


def test_a_smaller_bound_holds_at_once_and_clearing_leaves_nothing() -> None:
    store = MemoryStore(ROOM)
    for name in "abcd":
        store.put(name, name, 100, 0.0, 9.0)
    store.resize(2 * (OVERHEAD + 100))
    assert (len(store), store.get("d", 0.0) is not None) == (2, True)
    store.clear()
    assert repr(store) == f"<MemoryStore 0 entries, 0 of {2 * (OVERHEAD + 100)} bytes>"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.floats(0, 5)), max_size=40))
def test_the_bound_always_holds_and_the_size_is_that_of_what_is_there(puts: list[tuple[int, int, float]]) -> None:
    store = MemoryStore(ROOM)
    now = 0.0
    for key, size, seconds in puts:
        now += seconds
        store.put(key, key, size, now, now + seconds)
        store.get(key + 1, now)
        kept = [entry.size for entry in store._entries.values()]
        assert store.size == sum(kept) <= ROOM


def test_a_tag_names_what_was_put_with_it_for_as_long_as_it_is_there() -> None:
    store = MemoryStore(ROOM)
    for name in "abc":
        store.put(name, name, 100, 0.0, 9.0, ("all", name))
    store.put("c", "c", 100, 0.0, 9.0)  # another one without
    assert store.purge("a") == 1
    assert store.purge("all") == 1
    assert store.purge("all") == 0
    assert (len(store), store._tagged) == (1, {})
    store.put("d", "d", 100, 0.0, 9.0, ("d",))
    store.clear()
    assert store._tagged == {}


def test_what_makes_room_is_counted_and_leaves_its_tags() -> None:
    store = MemoryStore(ROOM)
    for number in range(20):
        store.put(number, number, 100, 0.0, 9.0, ("all", str(number)))
    assert (store.evictions, len(store._tagged), store.purge("all")) == (12, 9, 8)

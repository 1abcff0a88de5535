from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.split import Split

WEIGHTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 50), min_size=1).filter(lambda w: any(w.values()))
CHANCE = st.floats(0, 1, exclude_max=True)


def split_of(weights: dict[str, int]) -> Split:
    return Split(list(weights.items()))


@given(WEIGHTS, CHANCE, st.text(max_size=10))
def test_a_variant_without_weight_gets_nothing(weights: dict[str, int], chance: float, key: str) -> None:
    split = split_of(weights)
    assert weights[split.drawn(chance)] > 0
    assert weights[split.of_key(key)] > 0


def test_chance_gives_each_its_share() -> None:
    split = split_of({"a": 10, "none": 0, "b": 90})
    counted = Counter(split.drawn(number / 1000) for number in range(1000))
    assert counted == {"a": 100, "b": 900}


def test_keys_are_shared_out_by_weight() -> None:
    split = split_of({"a": 10, "b": 60, "c": 30})
    counted = Counter(split.of_key(f"user-{number}") for number in range(10_000))
    assert abs(counted["a"] - 1000) < 150
    assert abs(counted["b"] - 6000) < 250
    assert abs(counted["c"] - 3000) < 250


@given(WEIGHTS, st.sampled_from("abcd"), st.integers(1, 50), st.text(max_size=10))
def test_when_a_weight_grows_keys_move_to_that_variant_and_nowhere_else(
    weights: dict[str, int], grown: str, by: int, key: str
) -> None:
    before = split_of(weights).of_key(key)
    after = split_of({**weights, grown: weights.get(grown, 0) + by}).of_key(key)
    assert after in (before, grown)


@given(WEIGHTS, st.text(max_size=10))
def test_neither_the_order_of_the_file_nor_a_common_factor_matters(weights: dict[str, int], key: str) -> None:
    turned = {name: weight * 7 for name, weight in reversed(weights.items())}
    assert split_of(weights).of_key(key) == split_of(turned).of_key(key)


def test_a_key_decides_alike_in_every_process() -> None:
    split = split_of({"v1": 50, "v2": 50})
    chosen = [split.of_key(key) for key in ("ann", "bob", "cid", "dan", "\udce9")]
    assert chosen == ["v1", "v2", "v2", "v2", "v2"]

from collections import Counter
from math import ceil
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.balance import BOUND, Balancer, Peer, make_balancer, observe_latency


def balancer(policy: str, *peers: Peer) -> Balancer[Peer]:
    made: Balancer[Peer] = make_balancer(policy, Random(7))
    made.update(peers)
    return made


def shares(policy: str, peers: list[Peer], times: int = 6000) -> list[float]:
    made = balancer(policy, *peers)
    seen = Counter(made.choose(0.0, str(turn)).name for turn in range(times))
    return [seen[peer.name] / times for peer in peers]


@pytest.mark.parametrize("policy", ["p2c", "round_robin", "least_requests", "random", "ewma", "hash"])
def test_peers_that_are_alike_share_alike(policy: str) -> None:
    assert shares(policy, [Peer("a"), Peer("b"), Peer("c")]) == pytest.approx([1 / 3] * 3, abs=0.03)


@pytest.mark.parametrize("policy", ["round_robin", "least_requests", "random"])
def test_weights_hold(policy: str) -> None:
    assert shares(policy, [Peer("a", 3), Peer("b", 1)]) == pytest.approx([0.75, 0.25], abs=0.03)


@pytest.mark.parametrize("policy", ["p2c", "ewma", "round_robin", "least_requests", "random", "hash"])
def test_a_peer_alone_is_chosen(policy: str) -> None:
    peer = Peer("a")
    assert balancer(policy, peer).choose(0.0, "key") is peer


def test_a_heavy_peers_turns_are_spread() -> None:
    made = balancer("round_robin", Peer("a", 3), Peer("b", 1))
    assert "".join(made.choose(0.0, None).name for _ in range(8)) == "aabaaaba"


@pytest.mark.parametrize("policy", ["p2c", "least_requests"])
def test_the_less_busy_of_two_is_chosen(policy: str) -> None:
    one, two = Peer("a"), Peer("b")
    one.active = 1
    made = balancer(policy, one, two)
    assert {made.choose(0.0, None).name for _ in range(50)} == {"b"}


def test_two_choices_spread_better_than_one() -> None:
    def highest(policy: str) -> int:
        peers = [Peer(str(index)) for index in range(50)]
        made = balancer(policy, *peers)
        for _ in range(1000):
            made.choose(0.0, None).active += 1
        return max(peer.active for peer in peers)

    assert highest("p2c") <= 24 < highest("random")


def test_the_quicker_of_two_is_chosen_until_its_slowness_is_forgotten() -> None:
    slow, quick = Peer("slow"), Peer("quick")
    observe_latency(slow, 1.0, 0.0)
    observe_latency(quick, 0.1, 0.0)
    made = balancer("ewma", slow, quick)
    assert made.choose(0.0, None) is quick


def test_a_quick_refusal_is_not_taken_for_speed() -> None:
    broken, well = Peer("broken"), Peer("well")
    observe_latency(broken, 0.001, 0.0, failed=True)
    observe_latency(well, 0.2, 0.0)
    assert balancer("ewma", broken, well).choose(0.0, None) is well


names = st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=8, unique=True)


@given(names, st.lists(st.text(max_size=8), max_size=50))
def test_only_the_keys_of_the_peer_that_goes_move(peers: list[str], keys: list[str]) -> None:
    everybody = [Peer(name) for name in peers]
    before, after = balancer("hash", *everybody), balancer("hash", *everybody[1:])
    for key in keys:
        had = before.choose(0.0, key)
        if had is not everybody[0]:
            assert after.choose(0.0, key) is had


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.lists(st.sampled_from("xyz"), max_size=80))
def test_no_peer_is_beyond_the_bound(weights: list[int], keys: list[str]) -> None:
    peers = [Peer(str(index), weight) for index, weight in enumerate(weights)]
    made = balancer("hash", *peers)
    for under_way, key in enumerate(keys, 1):
        chosen = made.choose(0.0, key)
        chosen.active += 1
        assert chosen.active <= ceil(BOUND * under_way * chosen.weight / sum(weights))

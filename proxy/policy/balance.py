"""Which endpoint gets the next request. Pure: told of the endpoints, the time and a source of chance.

Law: a choice looks at nothing but the peers it was given by `update`. Which of them may be used at all is decided
elsewhere, and seldom; choosing happens for every request.

Load is `active / weight`, so that under load an endpoint of weight 2 holds twice the requests. Where there is none,
weights must hold as well: those that choose between two draw them by weight and keep the first if both are alike.
"""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from math import ceil, exp, log
from typing import Generic, Protocol, TypeVar

# Peak EWMA, as in Finagle: a slow answer counts at once, and is forgotten over some seconds.
DECAY_S = 10.0
# A refusal is no quick answer: without this an endpoint that fails at once would draw all requests.
FAILURE_S = 1.0
# Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016): at most so many times the mean.
BOUND = 1.25
_MASK = (1 << 64) - 1


class Chance(Protocol):
    """A source of chance, such as `random.Random`."""

    def random(self) -> float:
        """At least 0, less than 1."""
        ...


class Peer:
    """An endpoint as a balancer sees it. `active` counts its requests under way; whoever sends them keeps it right."""

    __slots__ = ("active", "cost", "credit", "name", "seed", "stamp", "weight")

    def __init__(self, name: str, weight: float = 1.0) -> None:
        self.name = name
        self.weight = weight
        self.active = 0
        self.credit = 0.0  # of smooth weighted round robin
        self.cost = 0.0  # the peak EWMA of its latency, at `stamp`
        self.stamp = 0.0
        self.seed = hash_of(name)


P = TypeVar("P", bound=Peer)
P_co = TypeVar("P_co", bound=Peer, covariant=True)


class Balancer(Protocol[P]):
    """Chooses among peers."""

    def update(self, peers: Sequence[P]) -> None:
        """These may be chosen, with the weights that they have now. At least one."""
        ...

    def choose(self, now: float, key: str | None) -> P:
        """The one for the next request. `key` is what a hash decides by."""
        ...


def make_balancer(policy: str, rng: Chance) -> Balancer[P]:
    """The balancer of a policy's name."""
    kinds: dict[str, type[_Drawing[P]] | type[RoundRobin[P]]] = {
        "p2c": PowerOfTwo,
        "round_robin": RoundRobin,
        "least_requests": LeastRequests,
        "ewma": PeakEwma,
        "random": Drawn,
        "hash": Hashed,
    }
    return kinds[policy](rng)


class _Drawing(Generic[P]):
    """Draws peers by weight."""

    def __init__(self, rng: Chance) -> None:
        self._random = rng.random
        self._peers: Sequence[P] = ()
        self._ends: list[float] = []  # of each peer's stretch of the line that is drawn from
        self._total = 0.0

    def update(self, peers: Sequence[P]) -> None:
        self._peers = peers
        self._ends = list(accumulate(peer.weight for peer in peers))
        self._total = self._ends[-1]

    def choose(self, now: float, key: str | None) -> P:
        raise NotImplementedError

    def _draw(self) -> int:
        return min(bisect_right(self._ends, self._random() * self._total), len(self._ends) - 1)

    def _draw_other(self, index: int) -> int:
        """Another one than this, by weight: from the line without its stretch."""
        weight = self._peers[index].weight
        point = self._random() * (self._total - weight)
        if point >= self._ends[index] - weight:
            point += weight
        other = min(bisect_right(self._ends, point), len(self._ends) - 1)
        if other == index:  # by rounding, at an end of its stretch
            other = index - 1 if index else 1
        return other


class Drawn(_Drawing[P]):
    """`random`: by weight and nothing else."""

    def choose(self, now: float, key: str | None) -> P:
        return self._peers[self._draw()]


class PowerOfTwo(_Drawing[P]):
    """`p2c`: of two that are drawn, the one with less load (Mitzenmacher, 1996)."""

    def choose(self, now: float, key: str | None) -> P:
        peers = self._peers
        if len(peers) == 1:
            return peers[0]
        index = self._draw()
        one, two = peers[index], peers[self._draw_other(index)]
        return two if two.active * one.weight < one.active * two.weight else one


class PeakEwma(_Drawing[P]):
    """`ewma`: of two that are drawn, the one that will answer sooner: its latency times what it has to do."""

    def choose(self, now: float, key: str | None) -> P:
        peers = self._peers
        if len(peers) == 1:
            return peers[0]
        index = self._draw()
        one, two = peers[index], peers[self._draw_other(index)]
        return two if _wait(two, now) < _wait(one, now) else one


def _wait(peer: Peer, now: float) -> float:
    cost = peer.cost * exp((peer.stamp - now) / DECAY_S)
    # One that has never answered is tried, with one request.
    return (cost or (FAILURE_S if peer.active else 0.0)) * (1 + peer.active / peer.weight)


def observe_latency(peer: Peer, seconds: float, now: float, *, failed: bool = False) -> None:
    """An answer took so long: what `ewma` decides by."""
    if failed:
        seconds = max(seconds, FAILURE_S)
    share = exp((peer.stamp - now) / DECAY_S)
    decayed = peer.cost * share
    peer.cost = seconds if seconds > decayed else decayed + seconds * (1 - share)
    peer.stamp = now


class RoundRobin(Generic[P]):
    """`round_robin`: smooth and weighted, as in nginx: a heavy peer's turns are spread among those of the others."""

    def __init__(self, rng: Chance) -> None:
        self._peers: Sequence[P] = ()

    def update(self, peers: Sequence[P]) -> None:
        self._peers = peers
        for peer in peers:
            peer.credit = 0.0  # what they earned was among others

    def choose(self, now: float, key: str | None) -> P:
        return _in_turn(self._peers)


def _in_turn(peers: Sequence[P]) -> P:
    best, total = peers[0], 0.0
    for peer in peers:
        peer.credit += peer.weight
        total += peer.weight
        if peer.credit > best.credit:
            best = peer
    best.credit -= total
    return best


class LeastRequests(RoundRobin[P]):
    """`least_requests`: the least load of all; those that are alike take turns."""

    def choose(self, now: float, key: str | None) -> P:
        least = min([peer.active / peer.weight for peer in self._peers])
        return _in_turn([peer for peer in self._peers if peer.active / peer.weight == least])


class Hashed(PowerOfTwo[P]):
    """`hash`: equal keys go to the same endpoint, as long as it is not far busier than the others.

    Weighted rendezvous hashing (Thaler and Ravishankar, 1998): every peer draws a number for the key, the highest has
    it. So when one goes, its keys alone move, and they spread over all that stay. No ring to build, and shares are
    exact. A request without a key goes as by `p2c`.
    """

    def choose(self, now: float, key: str | None) -> P:
        if key is None:
            return super().choose(now, None)
        point = hash_of(key)
        most = BOUND * (sum([peer.active for peer in self._peers]) + 1) / self._total
        best, highest = None, -1.0
        for peer in self._peers:
            score = peer.weight / -log(_mixed(point ^ peer.seed))
            if score > highest and peer.active < ceil(most * peer.weight):
                best, highest = peer, score
        assert best is not None  # if all were at their bound, they would have more than all requests
        return best


def hash_of(text: str) -> int:
    """64 bits of a text, the same in every process: so that several gateways send a key to the same endpoint."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _mixed(bits: int) -> float:
    """A number between 0 and 1, both excluded, in which every bit has a say (the end of MurmurHash3)."""
    bits = ((bits ^ (bits >> 33)) * 0xFF51AFD7ED558CCD) & _MASK
    bits = ((bits ^ (bits >> 33)) * 0xC4CEB9FE1A85EC53) & _MASK
    return ((bits ^ (bits >> 33)) + 0.5) / (_MASK + 2)

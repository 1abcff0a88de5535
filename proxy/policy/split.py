"""Which variant a request gets: by weight, and for a key always the same one. Pure: chance is an argument."""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from math import log


class Split:
    """Variants with weights, of which one at least is above zero; a variant of weight zero is never chosen here.

    For keys, weighted rendezvous hashing (Thaler and Ravishankar, 1998): each variant draws a number for the key, the
    highest has it. So when a variant's weight grows, keys move to it and nowhere else; the order of the file and the
    other weights have no say, and every process decides the same.
    """

    def __init__(self, weights: Sequence[tuple[str, int]]) -> None:
        self._live = [(name, weight) for name, weight in weights if weight > 0]
        self._ends = list(accumulate(weight for _, weight in self._live))

    def drawn(self, chance: float) -> str:
        """The variant for a number that is drawn from 0 up to 1, which is not included."""
        return self._live[bisect_right(self._ends, chance * self._ends[-1])][0]

    def of_key(self, key: str) -> str:
        """The variant of a key."""
        best, highest = "", 0.0
        for name, weight in self._live:
            score = -weight / log(_number(name, key))
            if score > highest:
                best, highest = name, score
        return best


def _number(name: str, key: str) -> float:
    """A number between 0 and 1, neither included, that a variant and a key always draw."""
    digest = blake2b(f"{name}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 52 bits and a half are what a float holds exactly.
    return ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.security.sealing import Sealed

ALPHABET = string.ascii_letters + string.digits + "-_"
OLD, NEW = b"o" * 32, b"n" * 32
VALUE = {"claims": {"sub": "ann"}, "until": 1.5}


def test_what_was_sealed_opens_and_looks_different_each_time() -> None:
    sealed = Sealed([NEW], "session")
    first, second = sealed.seal(VALUE), sealed.seal(VALUE)
    assert sealed.open(first) == sealed.open(second) == VALUE
    assert first != second
    assert "ann" not in first


def test_an_old_key_still_opens_and_the_new_one_seals() -> None:
    both = Sealed([NEW, OLD], "session")
    assert both.open(Sealed([OLD], "session").seal(VALUE)) == VALUE
    assert Sealed([NEW], "session").open(both.seal(VALUE)) == VALUE
    assert Sealed([NEW], "session").open(Sealed([OLD], "session").seal(VALUE)) is None


def test_what_is_for_one_thing_is_not_for_another() -> None:
    assert Sealed([NEW], "session").open(Sealed([NEW], "login").seal(VALUE)) is None


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 63))
def test_one_changed_character_and_it_does_not_open(where: float, step: int) -> None:
    text = Sealed([NEW], "session").seal(VALUE)
    at = int(where * (len(text) - 1))  # the last character has bits that stand for nothing
    other = ALPHABET[(ALPHABET.index(text[at]) + step) % 64]
    assert Sealed([NEW], "session").open(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "x", "A" * 12, "A" * 100, "ä", "=", "a b", "\udcff"])
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    assert Sealed([NEW], "session").open(text) is None

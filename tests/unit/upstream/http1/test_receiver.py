from typing import Any

import pytest

from proxy.errors import UpstreamInvalid, UpstreamTooLarge
from proxy.upstream.exchange import Head
from proxy.upstream.http1.receiver import Whole


def receiving(max_body: int = 3, is_head: bool = False) -> tuple[list[Any], Whole]:
    told: list[Any] = []
    return told, Whole(told.append, is_head=is_head, max_body=max_body)


def test_a_whole_answer_is_told_when_it_has_ended() -> None:
    told, whole = receiving()
    whole.headed(Head(201, [(b"A", b"1")]), 3)
    whole.received(b"ab")
    whole.received(b"c")
    assert told == []
    whole.ended()
    assert (told[0].status, told[0].body, dict(told[0].headers)) == (201, b"abc", {"A": "1"})


def test_a_declared_length_over_the_limit_is_refused_before_the_body() -> None:
    with pytest.raises(UpstreamTooLarge):
        receiving()[1].headed(Head(200, []), 4)
    receiving(is_head=True)[1].headed(Head(200, []), 4)  # there it is only said


def test_a_body_over_the_limit_is_refused() -> None:
    _, whole = receiving()
    whole.headed(Head(200, []), -1)
    whole.received(b"abc")
    with pytest.raises(UpstreamTooLarge):
        whole.received(b"d")


def test_a_failure_is_told_as_it_is() -> None:
    told, whole = receiving()
    error = UpstreamInvalid("broken")
    whole.failed(error)
    assert told == [error]


def test_what_arrives_at_once_is_held_to_the_same_limit() -> None:
    told, whole = receiving()
    whole.arrived(Head(200, []), b"abc")
    assert (told[0].status, told[0].body) == (200, b"abc")
    told, whole = receiving()
    whole.arrived(Head(200, []), b"abcd")
    assert isinstance(told[0], UpstreamTooLarge)

import socket
import sys

import pytest

from proxy.server.sockets import accept_waiting, bind, can_share, steer_away


def test_an_address_that_cannot_be_had_is_an_os_error() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", taken.getsockname()[1])


def test_what_waits_in_the_queue_is_taken_and_nothing_is_waited_for() -> None:
    with bind("127.0.0.1", 0) as listening:
        listening.listen()
        assert accept_waiting(listening) == []
        clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
        taken = accept_waiting(listening)
        assert len(taken) == 3
        for one in (*clients, *taken):
            one.close()


@pytest.mark.skipif(not can_share(), reason="Linux only")
def test_connections_go_to_the_second_of_two_and_back_when_there_is_one() -> None:
    assert sys.platform == "linux"
    with bind("127.0.0.1", 0, shared=True) as first:
        address = first.getsockname()
        first.listen()
        second = bind(*address, shared=True)
        second.listen(64)
        steer_away(first)
        clients = [socket.create_connection(address) for _ in range(30)]
        taken = accept_waiting(second)
        assert len(taken) == 30
        assert accept_waiting(first) == []
        second.close()
        clients.append(socket.create_connection(address))
        taken += accept_waiting(first)
        assert len(taken) == 31, "without a second the first goes on"
        for one in (*clients, *taken):
            one.close()

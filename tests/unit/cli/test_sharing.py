import argparse
import resource

import pytest

from proxy.cli.sharing import allow_files, open_sockets
from proxy.server.sockets import bind


def test_as_many_files_as_may_be_opened() -> None:
    assert allow_files() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_nothing_stays_open_when_one_of_the_ports_is_taken() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        given = argparse.Namespace(host="127.0.0.1", port=0, admin_host="127.0.0.1", admin_port=port, reuse_port=False)
        with pytest.raises(OSError, match="in use"):
            open_sockets(given)

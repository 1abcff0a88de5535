from proxy.plan.nodes import ServerPlan
from proxy.server.census import Census


def census(most: int, each: int | None = None, files: int = 1000, exempt: str = "") -> Census:
    plan = ServerPlan(
        max_target=1,
        max_body=1,
        drain_s=1,
        body_s=1,
        trusted_proxies=(),
        max_connections=most,
        max_connections_per_client=each,
    )
    return Census(lambda: plan, lambda address: address == exempt, files)


def test_there_is_room_for_so_many_and_for_one_more_when_one_has_left() -> None:
    count = census(2, 2)
    assert [count.enter("a"), count.enter("b"), count.enter("c")] == [True, True, False]
    count.leave("a")
    assert count.enter("c")
    assert (count.total, count.refused) == (2, 1)


def test_one_client_cannot_hold_more_than_half_unless_said() -> None:
    count = census(4)
    assert [count.enter("a") for _ in range(3)] == [True, True, False]
    assert count.enter("b")


def test_a_trusted_proxy_may_have_all_of_them() -> None:
    count = census(4, 1, exempt="p")
    assert [count.enter("p") for _ in range(5)] == [True, True, True, True, False]


def test_the_process_may_not_run_out_of_files() -> None:
    count = census(100, 100, files=4)
    assert [count.enter("a") for _ in range(4)] == [True, True, True, False]

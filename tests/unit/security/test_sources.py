from proxy.background import Background
from proxy.plan.auth import StoredKeysPlan
from proxy.security.sources import Sources


def plan(refresh_s: float) -> StoredKeysPlan:
    return StoredKeysPlan(url="redis://127.0.0.1:1/0", prefix="k:", timeout_s=0.1, refresh_s=refresh_s)


async def test_what_is_known_of_one_place_is_known_to_all_who_name_it() -> None:
    sources = Sources(Background())
    assert sources.ring("http://a/") is sources.ring("http://a/")
    assert sources.ring("http://a/") is not sources.ring("http://b/")
    assert sources.store(plan(1)) is sources.store(plan(1))
    assert sources.store(plan(1)) is not sources.store(plan(2))
    await sources.close()

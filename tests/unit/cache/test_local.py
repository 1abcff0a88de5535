import pytest

from proxy.cache import local
from proxy.cache.local import LocalStore
from proxy.cache.memory import MemoryStore
from proxy.cache.store import Stored, Variants
from proxy.policy.freshness import Terms

ANSWER = Stored(200, [], b"x", Terms(age_s=0.0, fresh_s=60.0), 0.0)


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore(1024 * 1024)


@pytest.fixture
def store(memory: MemoryStore) -> LocalStore:
    return LocalStore(memory)


async def put(store: LocalStore, key: str, *tags: str) -> bool:
    _, token = await store.find(key, tags, 0.0)
    return await store.put(key, ANSWER, tags, token, 0.0, 60.0)


async def test_what_is_put_is_found_until_its_time_is_over(store: LocalStore) -> None:
    assert await put(store, "a")
    assert (await store.find("a", (), 59.0))[0] is ANSWER
    assert (await store.find("a", (), 60.0))[0] is None


async def test_variants_are_kept_like_answers_and_removed_one_by_one(store: LocalStore) -> None:
    variants = Variants(("accept",))
    await store.put("a", variants, (), 0, 0.0, 60.0)
    assert (await store.find("a", (), 0.0))[0] is variants
    await store.remove("a")
    assert (await store.find("a", (), 0.0))[0] is None
    await store.close()


async def test_a_purge_forgets_what_has_the_tag_and_says_how_many(store: LocalStore) -> None:
    await put(store, "a", "x", "y")
    await put(store, "b", "y")
    await put(store, "c")
    assert [await store.purge(tag) for tag in ("x", "y", "y", "none")] == [1, 1, 0, 0]
    assert (await store.find("c", (), 0.0))[0] is ANSWER


async def test_what_was_asked_for_before_a_purge_of_its_tag_is_not_kept(store: LocalStore) -> None:
    _, token = await store.find("a", (), 0.0)
    await store.purge("x")
    assert not await store.put("a", ANSWER, ("x",), token, 0.0, 60.0)
    assert await store.put("b", ANSWER, ("y",), token, 0.0, 60.0)
    assert await put(store, "a", "x")


async def test_so_many_purges_are_remembered_and_before_the_oldest_nothing_is_kept(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_REMEMBERED", 2)
    _, old = await store.find("a", (), 0.0)
    for tag in "uvw":
        await store.purge(tag)
    assert not await store.put("a", ANSWER, ("z",), old, 0.0, 60.0)
    assert await put(store, "a", "z")

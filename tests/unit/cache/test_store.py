from proxy.cache.store import Stored, StoreUnavailable, Variants
from proxy.errors import to_problem
from proxy.policy.freshness import Terms


def test_a_stored_answer_takes_its_body_and_its_fields() -> None:
    terms = Terms(age_s=0.0, fresh_s=1.0)
    bare = Stored(200, [], b"x" * 1000, terms, 0.0)
    assert bare.size == 1000
    assert Stored(200, [("A", "b" * 100)], b"x" * 1000, terms, 0.0).size > 1100
    assert Variants(("accept",)).size > 0


def test_a_store_that_does_not_answer_a_purge_is_an_error_of_the_gateway() -> None:
    problem = to_problem(StoreUnavailable("no"), route=None, request_id="r")
    assert (problem["status"], problem["code"]) == (503, "cache_unavailable")

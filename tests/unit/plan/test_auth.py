from proxy.plan.auth import ApiKeysPlan, BasicPlan


def test_hashes_are_not_shown() -> None:
    assert "secret" not in repr(ApiKeysPlan(name="k", header="h", query=None, holders={b"secret": {}}))
    assert "secret" not in repr(BasicPlan(name="k", users={"a": (b"secret", {})}))

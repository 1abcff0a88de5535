from proxy.expr.scope import MISSING, Scope, Vocabulary


def test_missing_is_false_but_is_not_null() -> None:
    assert not MISSING
    assert MISSING is not None


def test_a_child_scope_binds_its_own_names_and_shares_the_faults() -> None:
    outer = Scope({"user": 1})
    inner = outer.child()
    inner["item"] = 2
    inner.faults.append("fault")
    assert "item" not in outer
    assert outer.faults == ["fault"]


def test_a_vocabulary_knows_calls_locals_and_the_request() -> None:
    names = Vocabulary(calls=frozenset({"user"})).with_local("item")
    assert all(names.knows(root) for root in ("user", "item", "params", "headers", "calls"))
    assert not names.knows("other")
    assert all(names.knows(root) for root in names.roots)

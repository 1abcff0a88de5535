from proxy.plan.identity import IdentityPlan, SignaturePlan, TokenPlan


def test_a_new_secret_is_another_identity_and_none_is_shown() -> None:
    def sign(base: bytes) -> bytes:
        return base

    for secret in ("one-secret", "another"):
        plan = IdentityPlan(
            headers=(("X-Key", secret),),
            token=TokenPlan(url="https://idp", form=(("client_secret", secret),), client=("me", secret)),
            signature=SignaturePlan(key_id="k", covers=(), authority="a", base_path="", secret=secret, sign=sign),
        )
        assert secret not in repr(plan)
        assert (
            plan == IdentityPlan(headers=(("X-Key", "one-secret"),), token=plan.token, signature=plan.signature)
        ) is (secret == "one-secret")

from proxy.plan.field import Field


def test_a_field_knows_who_has_a_say_in_it() -> None:
    field = Field("X-A", lambda scope: "v", client=True, only_client=False, text="${query.a}")
    assert (field.name, field.client, field.only_client, field.text) == ("X-A", True, False, "${query.a}")

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.config.fields import Bytes, Cel, Seconds, Share, Statuses, one_or_many


@pytest.mark.parametrize(
    "kind,text,value",
    [
        (Seconds, "150ms", 0.15),
        (Bytes, "1KiB", 1024),
        (Share, "20%", 0.2),
        (Statuses, "2xx", ["2xx"]),
        (Cel, True, True),
    ],
)
def test_values_with_units_are_numbers(kind: Any, text: Any, value: Any) -> None:
    assert TypeAdapter(kind).validate_python(text) == value


@pytest.mark.parametrize("kind,text", [(Seconds, 5), (Bytes, "5"), (Share, "x"), (Cel, 1), (Statuses, "6xx")])
def test_anything_else_is_an_error_with_a_code(kind: Any, text: Any) -> None:
    with pytest.raises(ValidationError) as failed:
        TypeAdapter(kind).validate_python(text)
    assert failed.value.errors()


def test_one_may_stand_for_a_list() -> None:
    assert one_or_many("a") == ["a"]
    assert one_or_many(["a"]) == ["a"]

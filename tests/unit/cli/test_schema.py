import json
from typing import Any

from proxy.config.schema import make_schema


def test_the_schema_is_printed(cli: Any) -> None:
    ran = cli("schema")
    assert ran.code == 0
    assert json.loads(ran.out) == make_schema()

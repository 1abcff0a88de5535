import pytest

from proxy.testing.requests import fill_path, single_request


@pytest.mark.parametrize(
    "pattern,path",
    [("/", "/"), ("/a/{id:int}", "/a/x%2Fy"), ("/{id}/b/", "/x%2Fy/b/"), ("/a/{id:path}", "/a/x/y")],
)
def test_a_pattern_is_filled_with_values(pattern: str, path: str) -> None:
    assert fill_path(pattern, {"id": "x/y"}) == path


def test_a_parameter_without_a_value_is_named() -> None:
    with pytest.raises(KeyError, match="id"):
        fill_path("/a/{id}", {})


async def test_a_request_has_a_host_and_its_body_a_type() -> None:
    request = single_request("POST", "/a?b", [("x-A", "1")], b"{}", 5.0)
    assert dict(request.headers) == {"Host": "localhost", "x-A": "1", "Content-Type": "application/json"}
    assert await request.read_body(10) == b"{}"
    assert request.received_at == 5.0
    assert single_request("GET", "/", [("Host", "a.b")], b"").host == "a.b"

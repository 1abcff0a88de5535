from proxy.config.route_tests import RequestOfTest, RouteTest


def test_a_request_may_be_text() -> None:
    for text, method in (("GET /a", "GET"), ("DELETE /a", "DELETE"), ("/a", "GET")):
        request = RequestOfTest.model_validate(text)
        assert (request.method, request.path) == (method, "/a")


def test_one_stub_is_a_list_of_one() -> None:
    test = RouteTest.model_validate({"name": "t", "request": "/a", "stubs": {"x": {"json": 1}, "y": [{}, {}]}})
    assert {name: len(stubs) for name, stubs in test.stubs.items()} == {"x": 1, "y": 2}
    assert test.expect.status == 200

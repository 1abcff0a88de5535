import json

from proxy.admin.answers import as_json, as_problem


def test_an_answer_is_json_with_a_line_end() -> None:
    answer = as_json({"a": 1}, 201)
    assert (answer.status, answer.body, answer.content_type) == (201, b'{"a":1}\n', "application/json")


def test_a_problem_is_a_problem_document() -> None:
    answer = as_problem(403, "why")
    assert answer.content_type == "application/problem+json"
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "why"}

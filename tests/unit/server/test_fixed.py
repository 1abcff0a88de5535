from pathlib import Path
from typing import Any

import pytest

from proxy.errors import BadRequest
from proxy.loading import load
from proxy.server.fixed import redirect_action, reply_action


def action_of(tmp_path: Path, text: str) -> Any:
    (tmp_path / "routes.yaml").write_text(f"version: 1\nroutes: [{{name: a, match: '/a/{{id}}', {text}}}]\n")
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    return plan.routes[0].action


@pytest.mark.parametrize(
    "text,status,content_type,body",
    [
        ("body: hello", 200, "text/plain; charset=utf-8", b"hello"),
        ("body: 'hello ${params.id}'", 200, "text/plain; charset=utf-8", b"hello 7"),
        ("body: 'hello ${query.none}'", 200, "text/plain; charset=utf-8", b""),
        ("body: {id: $.params.id}", 200, "application/json", b'{"id":"7"}'),
        ("body: $.params.id", 200, "application/json", b'"7"'),
        ("body: null", 200, "application/json", b"null"),
        ("status: 204", 204, None, b""),
        ("status: 503, body: [1], headers: {Content-Type: text/x}", 503, "text/x", b"[1]"),
    ],
)
async def test_a_reply(
    text: str, status: int, content_type: str | None, body: bytes, tmp_path: Path, request_of: Any
) -> None:
    response = await reply_action(action_of(tmp_path, f"reply: {{{text}}}"))(request_of(params={"id": "7"}))
    assert (response.status, response.headers.get("Content-Type"), response.body) == (status, content_type, body)


@pytest.mark.parametrize("body", ["'x ${headers.x-a}'", "{a: $.headers.x-a}"])
async def test_bytes_that_are_no_text_are_the_clients_fault(body: str, tmp_path: Path, request_of: Any) -> None:
    action = reply_action(action_of(tmp_path, f"reply: {{body: {body}}}"))
    with pytest.raises(BadRequest):
        await action(request_of(headers={"Host": "a", "X-A": "\udce9"}))


async def test_a_redirect(tmp_path: Path, request_of: Any) -> None:
    plan = action_of(tmp_path, "redirect: {to: '/b/${params.id}', status: 307}")
    response = await redirect_action(plan)(request_of(params={"id": "x/y"}))
    assert (response.status, response.headers["Location"]) == (307, "/b/x%2Fy")

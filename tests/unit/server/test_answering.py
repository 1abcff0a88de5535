from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import ExtractionFailed
from proxy.expr.scope import Scope
from proxy.loading import load
from proxy.message import Response
from proxy.server.answering import MakeResponse, response_maker
from proxy.upstream.exchange import Arrived, UpstreamResponse


def maker(tmp_path: Path, proxy: str = "{to: u}") -> MakeResponse:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nserver: {id: edge}\nupstreams: {u: http://u}\n"
        f"routes: [{{name: a, match: '/{{rest:path}}', proxy: {proxy}}}]\n"
    )
    plan = load(str(tmp_path / "routes.yaml"), {}).plan
    assert plan is not None
    action: Any = plan.routes[0].action
    return response_maker("a", action, plan.upstreams["u"], plan.server)


def answer(**headers: str) -> Arrived:
    return Arrived(UpstreamResponse.of(200, CIMultiDict(headers), b"body"))


def test_we_are_named_in_via_under_our_id(tmp_path: Path, request_of: Any) -> None:
    response: Response = maker(tmp_path)(request_of("/"), answer(Via="1.0 inner"), "/", Scope({}))
    assert response.headers.getall("Via") == ["1.0 inner", "1.1 edge"]


def test_what_the_route_sets_stands_over_what_is_rewritten(tmp_path: Path, request_of: Any) -> None:
    make = maker(tmp_path, "{to: u, redirects: rewrite, headers: {response: {set: {Location: /here}}}}")
    assert make(request_of("/"), answer(Location="http://u/x"), "/", Scope({})).headers["Location"] == "/here"


def test_a_header_that_cannot_be_made_is_raised(tmp_path: Path, request_of: Any) -> None:
    make = maker(tmp_path, "{to: u, headers: {response: {set: {X-A: '${headers.x-none}'}}}}")
    with pytest.raises(ExtractionFailed):
        make(request_of("/"), answer(), "/", Scope({"headers": {}}))

from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from proxy.errors import LoopDetected
from proxy.expr.scope import Scope
from proxy.loading import load
from proxy.message import Request, Way
from proxy.server.forwarding import port_of, request_headers


class Forwarding:
    """The headers that a pass-through of a configuration sends."""

    def __init__(
        self,
        tmp_path: Path,
        *,
        server: str = "{}",
        upstream: str = "{urls: ['http://u']}",
        rules: str = "{}",
    ) -> None:
        (tmp_path / "routes.yaml").write_text(
            f"version: 1\nserver: {server}\nupstreams: {{u: {upstream}}}\n"
            f"routes: [{{name: a, match: '/{{rest:path}}', proxy: {{to: u, headers: {{request: {rules}}}}}}}]\n"
        )
        plan = load(str(tmp_path / "routes.yaml"), {}).plan
        assert plan is not None
        action: Any = plan.routes[0].action
        self.make = request_headers(action, plan.upstreams["u"], plan.server)

    def __call__(self, request: Request) -> CIMultiDict[str]:
        return self.make(request, Scope({}))


def test_headers_cross_but_for_one_hops_and_what_is_said_of_the_way_is_ours(tmp_path: Path, request_of: Any) -> None:
    given = CIMultiDict(
        [
            ("Host", "example.com"),
            ("Authorization", "Bearer x"),
            ("X-A", "1"),
            ("X-A", "2"),
            ("Connection", "X-Hop"),
            ("X-Hop", "no"),
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-Prefix", "/evil"),
            ("X-Real-IP", "6.6.6.6"),
            ("Forwarded", "for=6.6.6.6"),
            ("Content-Length", "4"),
        ]
    )
    headers = Forwarding(tmp_path)(request_of("/", headers=given))
    assert list(headers.items()) == [
        ("Authorization", "Bearer x"),
        ("X-A", "1"),
        ("X-A", "2"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "example.com"),
        ("X-Forwarded-Port", "80"),
        ("X-Request-Id", "r1"),
        ("Via", "1.1 proxy-composer"),
    ]


def test_what_we_write_or_take_away_cannot_come_in_by_another_spelling(tmp_path: Path, request_of: Any) -> None:
    names = ["X_Forwarded_For", "x-forwarded_proto", "X_Real_IP", "Transfer_Encoding", "Content_Length", "X_Request_Id"]
    given = {"Host": "a", "X_Free": "1", "X_User": "forged", "X-Internal_Role": "admin", **dict.fromkeys(names, "1")}
    forwarding = Forwarding(tmp_path, rules="{set: {X-User: ann}, remove: [X-Internal-Role]}")
    headers = forwarding(request_of("/", headers=given))
    assert headers["X-User"] == "ann"
    assert [name for name in headers if "_" in name] == ["X_Free"]


@pytest.mark.parametrize(
    "host,sent", [("upstream", None), ("preserve", "example.com"), ("api.internal", "api.internal")]
)
def test_the_host_is_the_upstreams_the_clients_or_a_name(
    host: str, sent: str | None, tmp_path: Path, request_of: Any
) -> None:
    headers = Forwarding(tmp_path, upstream=f"{{urls: ['http://u'], host: {host}}}")(request_of("/"))
    assert headers.get("Host") == sent


def test_what_a_trusted_proxy_says_is_continued(tmp_path: Path, request_of: Any) -> None:
    way = Way(("192.0.2.1", "10.0.0.2", "10.0.0.1"), "https", "a.example", "8443")
    given = {"X-Forwarded-Prefix": "/app", "X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.0.0.2", "Forwarded": "for=x"}
    headers = Forwarding(tmp_path)(request_of("/", headers=given, way=way, scheme="https", host="a.example"))
    assert list(headers.items())[:5] == [
        ("X-Forwarded-Prefix", "/app"),
        ("X-Forwarded-For", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "a.example"),
        ("X-Forwarded-Port", "8443"),
    ]
    assert "Forwarded" not in headers


@pytest.mark.parametrize(
    "host,scheme,port",
    [("a", "http", "80"), ("a", "https", "443"), ("a:8", "https", "8"), ("[::1]", "http", "80"), ("[::1]:8", "", "8")],
)
def test_the_port_is_the_hosts_or_the_schemes(host: str, scheme: str, port: str) -> None:
    assert port_of(host, scheme) == port


def test_the_way_may_be_told_as_rfc_7239_has_it(tmp_path: Path, request_of: Any) -> None:
    request = request_of("/", headers={"X-Forwarded-For": "6.6.6.6"}, host="example.com")
    headers = Forwarding(tmp_path, server="{forwarded: forwarded}")(request)
    assert headers["Forwarded"] == "for=192.0.2.1;host=example.com;proto=http"
    assert not [name for name in headers if name.startswith("X-Forwarded")]
    both = Forwarding(tmp_path, server="{forwarded: both}")(request)
    assert ("Forwarded" in both, both["X-Forwarded-For"]) == (True, "192.0.2.1")


def test_addresses_and_hosts_that_are_no_tokens_are_quoted(tmp_path: Path, request_of: Any) -> None:
    way = Way(("2001:db8::1", "10.0.0.1"))
    request = request_of("/", way=way, host="a.example:8443", scheme="https")
    headers = Forwarding(tmp_path, server="{forwarded: forwarded}")(request)
    assert headers["Forwarded"] == 'for="[2001:db8::1]";host="a.example:8443";proto=https, for=10.0.0.1'


def test_a_client_without_an_address_is_unknown(tmp_path: Path, request_of: Any) -> None:
    headers = Forwarding(tmp_path, server="{forwarded: forwarded}")(request_of("/", client_ip=""))
    assert headers["Forwarded"].startswith("for=unknown;")


def test_a_request_that_names_no_host_has_none_in_its_way(tmp_path: Path, request_of: Any) -> None:
    headers = Forwarding(tmp_path, server="{forwarded: both}")(request_of("/", headers={}))
    assert (headers["Forwarded"], "X-Forwarded-Host" in headers) == ("for=192.0.2.1;proto=http", False)


@pytest.mark.parametrize(
    "via,loops",
    [
        (["1.1 edge"], False),
        (["1.1 edge, 1.0 other", "HTTP/1.1 EDGE (a comment)"], True),
        (["1.1 other, 1.1 edges, edge"], False),
    ],
)
def test_a_request_that_comes_round_too_often_is_refused(
    via: list[str], loops: bool, tmp_path: Path, request_of: Any
) -> None:
    forwarding = Forwarding(tmp_path, server="{id: edge, max_passes: 2}")
    request = request_of("/", headers=CIMultiDict([("Via", value) for value in via]))
    if loops:
        with pytest.raises(LoopDetected):
            forwarding(request)
    else:
        assert forwarding(request).getall("Via") == [*via, "1.1 edge"]


@pytest.mark.parametrize(
    "method,given,sent", [("OPTIONS", "3", "2"), ("TRACE", "1", "0"), ("GET", "3", "3"), ("OPTIONS", "x", "x")]
)
def test_hops_are_counted_down_where_they_count(
    method: str, given: str, sent: str, tmp_path: Path, request_of: Any
) -> None:
    request = request_of("/", method=method, headers={"Host": "a", "Max-Forwards": given})
    assert Forwarding(tmp_path)(request)["Max-Forwards"] == sent

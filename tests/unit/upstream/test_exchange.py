from multidict import CIMultiDict

from proxy.plan.nodes import UpstreamPlan
from proxy.upstream.client import UpstreamClient
from proxy.upstream.exchange import Upstream, UpstreamRequest


async def test_the_client_is_an_upstream(upstream_plan: UpstreamPlan) -> None:
    client: Upstream = UpstreamClient(upstream_plan)
    assert callable(client.send)
    await client.close()  # type: ignore[attr-defined]


def test_a_request_keeps_repeated_headers_in_order() -> None:
    headers = CIMultiDict([("A", "1"), ("a", "2")])
    request = UpstreamRequest(method="GET", target="/", headers=headers, body=None, max_body=1)
    assert request.headers.getall("A") == ["1", "2"]

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from proxy.server.hops import (
    MAX_HOPS,
    chain_of,
    is_trusted,
    parse_forwarded,
    parse_networks,
    read_forwarded,
    read_x_forwarded,
)

TRUSTED = parse_networks(("10.0.0.0/8", "::1"))


@pytest.mark.parametrize(
    "address,holds",
    [
        ("10.1.2.3", True),
        ("::1", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        ("", False),
        ("10.0.0.1:80", False),
    ],
)
def test_trust_is_by_address(address: str, holds: bool) -> None:
    assert is_trusted(address, TRUSTED) is holds


@pytest.mark.parametrize(
    "values,chain",
    [
        ([], ["10.0.0.1"]),
        (["192.0.2.7"], ["192.0.2.7", "10.0.0.1"]),
        (["6.6.6.6, 192.0.2.7, 10.0.0.2"], ["192.0.2.7", "10.0.0.2", "10.0.0.1"]),
        (["6.6.6.6", "192.0.2.7"], ["192.0.2.7", "10.0.0.1"]),
        (["192.0.2.7, nonsense"], ["10.0.0.1"]),
        (["10.0.0.9, 10.0.0.8"], ["10.0.0.9", "10.0.0.8", "10.0.0.1"]),
        (["[2001:db8::1]"], ["2001:db8::1", "10.0.0.1"]),
        (["[2001:db8::1]:4711"], ["2001:db8::1", "10.0.0.1"]),
        (["192.0.2.7:4711"], ["192.0.2.7", "10.0.0.1"]),
        (["192.0.2.7,, ::ffff:10.0.0.2"], ["192.0.2.7", "10.0.0.2", "10.0.0.1"]),
    ],
)
def test_the_client_is_the_right_most_address_that_is_no_trusted_proxy(values: list[str], chain: list[str]) -> None:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in values])
    assert read_x_forwarded("10.0.0.1", headers, TRUSTED).chain == tuple(chain)


def test_a_way_of_any_length_is_read_only_so_far() -> None:
    assert len(chain_of("10.0.0.1", ["10.0.0.2"] * 1000, TRUSTED)) == MAX_HOPS + 1


@pytest.mark.parametrize(
    "headers,said",
    [
        ({}, ("", "", "")),
        ({"Proto": "https", "Host": "a.example:444", "Port": "444"}, ("https", "a.example:444", "444")),
        ({"Proto": "HTTPS"}, ("https", "", "")),
        ({"Proto": "wss"}, ("https", "", "")),
        ({"Proto": "gopher", "Host": "a/b", "Port": "80x"}, ("", "", "")),
        ({"Host": 'a"b', "Port": "8000000"}, ("", "", "")),
        # Two proxies that append: the first of them, who spoke with the client, is believed.
        ({"For": "192.0.2.1, 10.0.0.2", "Proto": "https, http"}, ("https", "", "")),
        # What the client itself wrote to the left of it is not.
        ({"For": "6.6.6.6, 192.0.2.1, 10.0.0.2", "Proto": "https, http, http"}, ("http", "", "")),
        ({"For": "192.0.2.1, 10.0.0.2", "Proto": "https"}, ("https", "", "")),
    ],
)
def test_scheme_host_and_port_are_what_the_first_trusted_proxy_said(headers: dict[str, str], said: Any) -> None:
    given = CIMultiDict({f"X-Forwarded-{name}": value for name, value in headers.items()})
    way = read_x_forwarded("10.0.0.1", given, TRUSTED)
    assert (way.scheme, way.host, way.port) == said


@pytest.mark.parametrize(
    "values,elements",
    [
        ([], []),
        ([""], []),
        (["for=192.0.2.1"], [{"for": "192.0.2.1"}]),
        (
            ['For="[2001:db8::1]:47";proto=http;host="a:1", for=_x'],
            [{"for": "[2001:db8::1]:47", "proto": "http", "host": "a:1"}, {"for": "_x"}],
        ),
        (["for=a", "for=b,for=c"], [{"for": "a"}, {"for": "b"}, {"for": "c"}]),
        (["for=a , , for=b;"], [{"for": "a"}, {"for": "b"}]),
        ([r'for="a\"b"'], [{"for": 'a"b'}]),
        (["for=a;for=b"], []),
        (['for="a'], []),
        (["for=[::1]"], []),
        (['for="a", for="b"x'], []),
    ],
)
def test_forwarded_is_read_as_rfc_7239_says_or_not_at_all(values: list[str], elements: list[Any]) -> None:
    assert parse_forwarded(values) == elements


@given(st.text(alphabet='for=;," \\a1[]:', max_size=60))
def test_whatever_a_client_writes_before_it_what_a_trusted_proxy_appends_decides(text: str) -> None:
    headers = CIMultiDict([("Forwarded", f'{text}, for="[2001:db8::7]:1";proto=https')])
    way = read_forwarded("10.0.0.1", headers, TRUSTED)
    # Either it is understood, or nothing of it is believed.
    assert way.chain in (("2001:db8::7", "10.0.0.1"), ("10.0.0.1",))


def test_the_way_by_forwarded_has_scheme_and_host_of_the_clients_own_element() -> None:
    value = "for=6.6.6.6;proto=http, for=192.0.2.1;proto=https;host=a.example, for=10.0.0.2;proto=http"
    way = read_forwarded("10.0.0.1", CIMultiDict({"Forwarded": value}), TRUSTED)
    assert (way.chain, way.scheme, way.host) == (("192.0.2.1", "10.0.0.2", "10.0.0.1"), "https", "a.example")


def test_a_hidden_hop_ends_the_way() -> None:
    way = read_forwarded("10.0.0.1", CIMultiDict({"Forwarded": "for=unknown, for=10.0.0.2"}), TRUSTED)
    assert way.chain == ("10.0.0.2", "10.0.0.1")

import hashlib
from typing import Any

import pytest

from proxy.server.clientcert import certificate_of


class Transport:
    def __init__(self, fields: Any) -> None:
        self._fields = fields

    def get_extra_info(self, name: str) -> Any:
        return self if name == "ssl_object" and self._fields is not None else None

    def getpeercert(self, binary_form: bool = False) -> Any:
        return b"der" if binary_form else self._fields


FIELDS = {
    "subject": ((("countryName", "DE"),), (("organizationName", "A, B"),), (("commonName", "ann"),)),
    "issuer": ((("commonName", "the authority"),),),
    "serialNumber": "0AFF",
    "notAfter": "Nov 23 10:00:00 2027 GMT",
    "subjectAltName": (("DNS", "a.b"), ("URI", "spiffe://a/b"), ("email", "a@b"), ("IP Address", "::1")),
}


def cert(**changes: Any) -> Any:
    transport: Any = Transport({**FIELDS, **changes})
    return certificate_of(transport)


def test_what_is_told_of_a_certificate() -> None:
    assert cert() == {
        "subject": "CN=ann,O=A\\, B,C=DE",
        "cn": "ann",
        "issuer": "CN=the authority",
        "serial": "0aff",
        "fingerprint": hashlib.sha256(b"der").hexdigest(),
        "not_after": "2027-11-23T10:00:00Z",
        "dns": ["a.b"],
        "uri": ["spiffe://a/b"],
        "email": ["a@b"],
    }


@pytest.mark.parametrize("fields", [None, {}])
def test_without_one_there_is_nothing(fields: Any) -> None:
    transport: Any = Transport(fields)
    assert certificate_of(transport) is None


def test_of_two_common_names_none_is_the_one() -> None:
    assert cert(subject=((("commonName", "ann"),), (("commonName", "root"),)))["cn"] == ""


@pytest.mark.parametrize(
    "value,escaped",
    [("ann,O=root", "ann\\,O\\=root"), (" x ", "\\ x\\ "), ("#x", "\\#x"), ("a\0b", "a\\00b"), ("a\\b", "a\\\\b")],
)
def test_a_value_cannot_pass_for_another_part(value: str, escaped: str) -> None:
    assert cert(subject=((("commonName", value),),))["subject"] == f"CN={escaped}"

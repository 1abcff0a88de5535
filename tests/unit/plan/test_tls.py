from proxy.plan.tls import CertificatePlan, ServerTlsPlan


def test_a_file_with_another_content_makes_another_plan() -> None:
    one, other = (ServerTlsPlan(certificates=(CertificatePlan(cert="a.pem", stamp=stamp),)) for stamp in "ab")
    assert one != other

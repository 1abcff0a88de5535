from xml.etree import ElementTree

from proxy.testing.junit import junit
from proxy.testing.runner import Result


def test_results_are_suites_by_route_with_their_failures() -> None:
    results = [Result("a", "one", [], 0.25), Result("a", "two", ["first <&>", "second"]), Result("b", "three")]
    root = ElementTree.fromstring(junit(results))
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("a", "2", "1"),
        ("b", "1", "0"),
    ]
    case = root[0][1]
    assert (case.get("classname"), case.get("name")) == ("a", "two")
    assert case[0].get("message") == "first <&>"
    assert case[0].text == "first <&>\nsecond"
    assert root[0][0].get("time") == "0.250"

"""Results as JUnit XML, which every CI system reads."""

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from proxy.testing.runner import Result


def junit(results: Sequence[Result]) -> bytes:
    """A `testsuites` document with a suite for each route."""
    root = ElementTree.Element("testsuites")
    for route, group in groupby(results, key=lambda result: result.route):
        several = list(group)
        failed = sum(bool(result.failures) for result in several)
        suite = ElementTree.SubElement(root, "testsuite", name=route, tests=str(len(several)), failures=str(failed))
        for result in several:
            case = ElementTree.SubElement(
                suite, "testcase", classname=route, name=result.name, time=f"{result.seconds:.3f}"
            )
            if result.failures:
                failure = ElementTree.SubElement(case, "failure", message=result.failures[0])
                failure.text = "\n".join(result.failures)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()

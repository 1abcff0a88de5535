"""XML answers as JSON values, so that the language needs to know only one kind of document.

    <order id="7"><line>a</line><line>b</line><note/></order>
    → {"order": {"@id": "7", "line": ["a", "b"], "note": null}}

An element is an object of its attributes (`@name`), its children by name, and its text (`#text`, where there is
anything else beside it); one with text alone is that text, an empty one null. Children of one name are a list in their
order, and those named in `lists` are one even when there is a single one. Namespaces are left out of names, and so is
text between children. All values are text.

Document types, and with them every kind of entity, are refused (CWE-611, CWE-776).
"""

from typing import Any

from proxy.errors import UpstreamInvalid

MAX_DEPTH = 200


def parse_xml(data: bytes, lists: frozenset[str] = frozenset()) -> Any:
    """The value of an XML document. Raises `UpstreamInvalid` for what is not well-formed, safe and of sane depth."""
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415 – an extra, and loaded by whom it serves
    from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415

    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:
        why = "it has a document type" if isinstance(error, DefusedXmlException) else "it is not well-formed"
        raise UpstreamInvalid(f"the answer is not XML that can be read: {why}") from None
    return {_name(root): _value(root, lists, 1)}


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _value(element: Any, lists: frozenset[str], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise UpstreamInvalid(f"the answer's XML is nested more than {MAX_DEPTH} deep")
    text = (element.text or "").strip()
    value: dict[str, Any] = {f"@{name.rpartition('}')[2]}": inner for name, inner in element.attrib.items()}
    for child in element:
        _add(value, _name(child), _value(child, lists, depth + 1), lists)
    if not value:
        return text or None
    if text:
        value["#text"] = text
    return value


def _add(value: dict[str, Any], name: str, inner: Any, lists: frozenset[str]) -> None:
    """One more child of a name: the first stands alone, a second makes a list."""
    there = value.get(name)
    if name not in value:
        value[name] = [inner] if name in lists else inner
    elif isinstance(there, list):  # made here of children: a child's own value is never a list
        there.append(inner)
    else:
        value[name] = [there, inner]

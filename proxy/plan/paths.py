"""The path rule of a pass-through, and the way back: from an upstream's path to the one that a client asks for."""

import re
from dataclasses import dataclass

from proxy.config.proxying import PathRewrite
from proxy.problems import Place


@dataclass(frozen=True, slots=True)
class PathRule:
    """Prefixes are of whole segments and have no slash at their end: /api does not begin /apiary."""

    strip: str = ""
    add: str = ""
    whole: str | None = None

    def rewrite(self, path: str) -> str:
        """The upstream's path for a request's."""
        if self.whole is not None:
            return self.whole
        inner = without_prefix(path, self.strip)
        return self.add + ((inner or "/") if inner is not None else path)

    def restore(self, path: str) -> str | None:
        """A path that a client can ask for to get to this one; None if there is none, or nobody knows which."""
        if self.whole is not None or (inner := without_prefix(path, self.add)) is None:
            return None
        return self.strip + (inner or ("" if self.strip else "/"))


def without_prefix(path: str, prefix: str) -> str | None:
    """What follows a prefix of whole segments, empty if nothing does; None if the path does not begin with it."""
    if path == prefix or path.startswith(prefix + "/"):
        return path[len(prefix) :]
    return None


def check_path(value: str, place: Place, *, at_key: bool = False) -> None:
    """Report what is no absolute path, ready to be sent."""
    if not value.startswith("/") or re.search(r"[\x00-\x20?#\x7f-\uffff]", value):
        place.problem("bad-url", f"{value!r} is not a path", "write /prefix, percent-encoded", at_key=at_key)


def compile_path_rule(rule: PathRewrite, place: Place) -> PathRule:
    """`path: {strip_prefix, add_prefix, replace}`"""
    for key in ("strip_prefix", "add_prefix", "replace"):
        value = getattr(rule, key)
        if value is not None:
            check_path(value, place / key)
    if rule.replace is not None and (rule.strip_prefix or rule.add_prefix):
        (place / "replace").problem("conflicting-keys", "replace stands alone", "leave out the prefixes", at_key=True)
    return PathRule((rule.strip_prefix or "").rstrip("/"), (rule.add_prefix or "").rstrip("/"), rule.replace)

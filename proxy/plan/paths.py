"""The path rule of a pass-through, and the way back: from an upstream's path to the one that a client asks for."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from proxy.config.proxying import PathRegex, PathRewrite
from proxy.errors import UnsafeValue
from proxy.plan.expressions import compile_re2
from proxy.problems import Place


@dataclass(frozen=True, slots=True)
class PathRule:
    """Prefixes are of whole segments and have no slash at their end: /api does not begin /apiary."""

    strip: str = ""
    add: str = ""
    whole: str | None = None
    substitute: Callable[[str], str] | None = None

    def rewrite(self, path: str) -> str:
        """The upstream's path for a request's."""
        if self.whole is not None:
            return self.whole
        if self.substitute is not None:
            return self.substitute(path)
        inner = without_prefix(path, self.strip)
        return self.add + ((inner or "/") if inner is not None else path)

    def restore(self, path: str) -> str | None:
        """A path that a client can ask for to get to this one; None if there is none, or nobody knows which."""
        if self.whole is not None or self.substitute is not None or (inner := without_prefix(path, self.add)) is None:
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
    """`path: {strip_prefix, add_prefix, replace, regex}`"""
    for key in ("strip_prefix", "add_prefix", "replace"):
        value = getattr(rule, key)
        if value is not None:
            check_path(value, place / key)
    if rule.replace is not None and (rule.strip_prefix or rule.add_prefix):
        (place / "replace").problem("conflicting-keys", "replace stands alone", "leave out the prefixes", at_key=True)
    substitute = None
    if rule.regex is not None:
        if rule.strip_prefix or rule.add_prefix or rule.replace:
            (place / "regex").problem("conflicting-keys", "regex stands alone", "leave out the others", at_key=True)
        substitute = _compile_regex(rule.regex, place / "regex")
    strip, add = (rule.strip_prefix or "").rstrip("/"), (rule.add_prefix or "").rstrip("/")
    return PathRule(strip, add, rule.replace, substitute)


_GROUP = re.compile(r"\\([0-9])")
# What normalising a request's path has taken out must not come back by joining its parts.
_UNSAFE = re.compile(r"//|/\.{1,2}(?:/|$)")


def _compile_regex(rule: PathRegex, place: Place) -> Callable[[str], str] | None:
    """One substitution."""
    pattern = compile_re2(rule.match, place / "match")
    if pattern is None:
        return None
    unknown = [int(group) for group in _GROUP.findall(rule.to) if int(group) > pattern.groups]
    if unknown:
        (place / "to").problem("bad-regex", f"there is no group {unknown[0]}", f"there are {pattern.groups}")
    plain = _GROUP.sub("", rule.to)
    if "\\" in plain or re.search(r"[\x00-\x20?#\x7f-\uffff]", plain):
        (place / "to").problem("bad-url", f"{rule.to!r} cannot stand in a path", "percent-encode it; groups are \\1")

    def substitute(path: str) -> str:
        changed: str = pattern.sub(rule.to, path, count=1)
        if not changed.startswith("/") or _UNSAFE.search(changed):
            raise UnsafeValue("the path would mean another one at the upstream")
        return changed

    return substitute

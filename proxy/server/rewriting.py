"""What an answer says of places, as the client knows them: redirects and cookies mapped back through the path rule.

A reference that is mapped has no scheme and host: it is resolved against what the client asked for (RFC 9110 §10.2.2),
which is right behind any proxy, and never tells where an upstream is.
"""

import re
from collections.abc import Callable
from functools import partial

from multidict import CIMultiDict

from proxy.message import Request
from proxy.plan.paths import without_prefix
from proxy.plan.proxying import CookiePlan, ProxyPlan
from proxy.plan.upstreams import UpstreamPlan

Rewrite = Callable[[CIMultiDict[str], Request, str], None]
"""Changes the headers of an answer, given its request and the target that was sent upstream."""

Restore = Callable[[str], str | None]

# RFC 3986, appendix B: it takes any text apart without changing it.
_REFERENCE = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(.*)", re.S)
_REFRESH = re.compile(r"([ \t]*[0-9.]+[ \t]*[;,][ \t]*(?:url[ \t]*=[ \t]*)?)([^ \t].*)", re.I | re.S)
_PORTS = {"http": "80", "https": "443"}


def rewriting(plan: ProxyPlan, upstream: UpstreamPlan) -> Rewrite | None:
    """The changes that a route asks for; None for none."""
    restore = partial(_restore, plan.restore, _base_paths(upstream))
    cookies = plan.cookies
    references = References(upstream, plan.restore) if plan.redirects else None
    if references is None and cookies is None:
        return None

    def rewrite(headers: CIMultiDict[str], request: Request, target: str) -> None:
        if references is not None:
            references.rewrite(headers, request.host, target)
        if cookies is not None and "Set-Cookie" in headers:
            for text in headers.popall("Set-Cookie"):
                headers.add("Set-Cookie", rewrite_cookie(text, cookies, restore))

    return rewrite


def _base_paths(upstream: UpstreamPlan) -> tuple[str, ...]:
    """What the targets of an upstream's endpoints start with, the longest first."""
    return tuple(sorted({endpoint.base_path for endpoint in upstream.named}, key=len, reverse=True))


def _restore(restore: Restore, bases: tuple[str, ...], path: str) -> str | None:
    for base in bases:
        if (inner := without_prefix(path, base)) is not None:
            return restore(inner or "/")
    return None


class References:
    """Maps references that lead to an upstream, by its own name or by the client's, back to this gateway."""

    def __init__(self, upstream: UpstreamPlan, restore: Restore) -> None:
        self._restore_relative = restore
        self._restore = partial(_restore, restore, _base_paths(upstream))
        # As they may stand in a reference: with a port, and without, as servers write that do not know theirs.
        self._names = {f"{_bracketed(one.host)}:{one.port}" for one in upstream.named}
        self._names |= {_bracketed(one.host) for one in upstream.named}
        if upstream.host not in ("upstream", "preserve"):
            self._names.add(upstream.host.lower())

    def rewrite(self, headers: CIMultiDict[str], host: str, target: str) -> None:
        """Change Location, Content-Location and Refresh. `target` was asked of the upstream, `host` of us."""
        for name in ("Location", "Content-Location"):
            if name in headers:
                for value in headers.popall(name):
                    headers.add(name, self.mapped(value, host, target))
        for value in headers.popall("Refresh", ()):
            if found := _REFRESH.fullmatch(value):
                before, place = found.groups()
                quote = place[0] if place[0] in "\"'" else ""
                inside, _, after = place[1:].partition(quote) if quote else (place, "", "")
                value = f"{before}{quote}{self.mapped(inside, host, target)}{quote}{after}"
            headers.add("Refresh", value)

    def mapped(self, reference: str, host: str, target: str) -> str:
        """A reference as the client can use it; one to somewhere else stays what it is."""
        found = _REFERENCE.fullmatch(reference.strip(" \t"))
        assert found is not None  # it matches anything
        scheme, authority, path, rest = found.groups()
        if authority is None:
            if scheme is not None or not path:
                return reference  # of another kind, or about the very page
            if not path.startswith("/"):
                # Targets are without what an endpoint's own path adds, so what is beside one is too.
                beside = _resolved(target.partition("?")[0].rpartition("/")[0] + "/" + path)
                return self._written(beside, self._restore_relative) + rest
        elif (scheme or "http").lower() not in _PORTS or not self._leads_here(scheme, authority, host):
            return reference
        return self._written(_resolved(path or "/"), self._restore) + rest

    def _written(self, path: str, restore: Restore) -> str:
        restored = restore(path)
        return _harmless(path if restored is None else restored)

    def _leads_here(self, scheme: str | None, authority: str, host: str) -> bool:
        name = authority.rpartition("@")[2].lower()
        if name in self._names or name == host.lower():
            return True
        bare, colon, port = name.rpartition(":")
        return bool(colon) and port in ("", _PORTS.get((scheme or "").lower())) and bare in (*self._names, host.lower())


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


_DOT = frozenset({".", "%2e"})
_DOTS = frozenset({"..", ".%2e", "%2e.", "%2e%2e"})


def _resolved(path: str) -> str:
    """A path without dot segments (RFC 3986 §5.2.4), which clients resolve too: no prefix is left behind by one."""
    if "/." not in path and "%2e" not in path.lower():
        return path
    out: list[str] = []
    *inner, last = path.split("/")[1:]
    for segment in [*inner, last]:
        if segment.lower() in _DOTS:
            del out[-1:]
        elif segment.lower() not in _DOT:
            out.append(segment)
    ends_open = last.lower() in _DOT | _DOTS
    return "/" + "/".join(out) + ("/" if ends_open and out else "")


def _harmless(path: str) -> str:
    """A path that cannot be read as a host: `//evil.example` names one. Browsers take `\\` for `/`, and skip tabs."""
    return "/" + path.lstrip("/\\\t").replace("\\", "%5C")


def rewrite_cookie(text: str, plan: CookiePlan, restore: Restore) -> str:
    """One Set-Cookie value (RFC 6265 §4.1.1); what the plan does not speak of stays as it was written."""
    pair, *attributes = text.split(";")
    fixed = pair.lstrip().startswith("__Host-")  # it has Path=/ and no Domain, or browsers refuse it
    kept = [pair]
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        changed: str | None = attribute
        match name.strip().lower():
            case "path" if not fixed:
                changed = _with(attribute, value, _cookie_path(value.strip(), plan, restore))
            case "domain":
                changed = _with(attribute, value, _cookie_domain(value.strip(), plan))
            case "secure" if plan.secure is not None:
                changed = None
            case "httponly" if plan.http_only is not None:
                changed = None
            case "samesite" if plan.same_site is not None:
                changed = None
        if changed is not None:
            kept.append(changed)
    kept += [" Secure"] * (plan.secure is True) + [" HttpOnly"] * (plan.http_only is True)
    if plan.same_site is not None:
        kept.append(f" SameSite={plan.same_site}")
    return ";".join(kept)


def _with(attribute: str, old: str, new: str | None) -> str | None:
    """The attribute with another value, as it was written if it is the same; None without one."""
    if new is None:
        return None
    return attribute if new == old.strip() else f"{attribute.partition('=')[0]}={new}"


def _cookie_path(path: str, plan: CookiePlan, restore: Restore) -> str:
    if plan.restore_paths and path.startswith("/"):
        restored = restore(path)
        # A cookie for all of an upstream is for all below its prefix, and for the prefix itself (RFC 6265 §5.1.4).
        return path if restored is None else (restored.rstrip("/") or "/") if path == "/" else restored
    for old, new in plan.paths:
        if (inner := without_prefix(path, old)) is not None:
            return new + (inner if inner != "/" or path != "/" else "") or "/"
    return path


def _cookie_domain(domain: str, plan: CookiePlan) -> str | None:
    if plan.remove_domain:
        return None
    plain = domain.lower().removeprefix(".")
    for old, new in plan.domains:
        if plain == old:
            return new
    return domain

"""`cors` of a route: model → plan."""

from proxy.config.cors import Cors
from proxy.message import is_token
from proxy.plan.auth import AuthPlan
from proxy.plan.cors import CorsPlan, parse_origin
from proxy.problems import Place

_OWN_PORTS = {"http": ":80", "https": ":443"}


def compile_cors(cors: Cors | None, auth: AuthPlan | None, place: Place) -> CorsPlan | None:
    """None where no page of another origin may read anything."""
    if cors is None:
        return None
    exact, below = set(), []
    for index, text in enumerate(cors.origins):
        here = place / "origins" / index if len(cors.origins) > 1 else place / "origins"
        if text == "*" or (text == "null" and not cors.credentials):
            exact.add(text)
            continue
        if text == "null":
            here.problem("bad-origin", "any page can be of origin null", "leave it out, or leave out credentials")
            continue
        scheme, host, port = _parse(text, here)
        if host.startswith("*."):
            below.append((scheme, host[1:], port))
        elif host:
            exact.add(text)
    anybody = "*" in exact
    if anybody and cors.credentials:
        hint = "list the origins, or leave out credentials"
        (place / "credentials").problem("bad-origin", "everybody could read what is for one user", hint, at_key=True)
    for key, names in (("methods", cors.methods), ("headers", cors.headers), ("expose", cors.expose)):
        for index, name in enumerate(names or ()):
            if name != "*" and not is_token(name):
                (place / key / index).problem("bad-header", f"{name!r} is no name", "write GET, or X-Name")
    return CorsPlan(
        origins=frozenset(exact - {"*"}),
        below=tuple(below),
        anybody=anybody,
        methods=frozenset(cors.methods) if cors.methods is not None else None,
        headers=tuple(name.lower() for name in (_headers(auth) if cors.headers is None else cors.headers)),
        expose=tuple(cors.expose),
        credentials=cors.credentials,
        max_age_s=cors.max_age,
    )


def _headers(auth: AuthPlan | None) -> list[str]:
    """What a page has to send: JSON, and a credential that is no cookie."""
    return ["Content-Type", *(name for name in (auth.headers if auth is not None else ()) if name.lower() != "cookie")]


def _parse(text: str, place: Place) -> tuple[str, str, str]:
    """Scheme, host and port of an origin; empty after reporting a problem."""
    wild = text.replace("://*.", "://wild.", 1)
    parsed = parse_origin(wild)
    if parsed is None:
        hint = "write https://app.example.com, with a port if it is not the scheme's own"
        if text != text.lower():
            hint = f"write {text.lower()}"
        elif text.endswith("/"):
            hint = f"write {text.rstrip('/')}"
        place.problem("bad-origin", f"{text!r} is not an origin as browsers write it", hint)
        return "", "", ""
    scheme, host, port = parsed
    if port == _OWN_PORTS.get(scheme):
        place.problem("bad-origin", f"{text!r} names the scheme's own port", f"write {text.removesuffix(port)}")
    return scheme, ("*." + host.removeprefix("wild.") if wild != text else host), port

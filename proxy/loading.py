"""Loading as one function of a path: read, resolve, check, compile. Every problem of every file, in one result."""

import gc
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from proxy.config.auth import Auth
from proxy.config.check import check_document, merge_documents
from proxy.config.environment import Resolver, mentions_environment
from proxy.config.source import ABSENT, Sources, fingerprint, read_limited, read_sources, secret_reader
from proxy.plan.compile import compile_plan
from proxy.plan.nodes import Plan
from proxy.problems import Place, Problem
from proxy.tls import UnusableFile, make_certificates, make_context, read_files, read_server_files

SECRETS_FOLDER = "/run/secrets"
# So much of a secret's beginning is taken out of messages too; less would blank ordinary words.
_RECOGNISABLE = 8


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan, or None with the errors that stand against one; warnings come either way.

    `texts` are the files' contents, for showing problems; `watched` is what to look at for changes: file or glob →
    the fingerprint of what was read.
    """

    plan: Plan | None
    problems: Sequence[Problem]
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    watched: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    unreadable: bool = False


def load(path: str, env: Mapping[str, str] | None = None) -> Loaded:
    """Load the configuration at `path`. Never raises for what a file may say."""
    with _without_collection():
        return _load(path, os.environ if env is None else env)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Hold the garbage collector: what loading makes stays, and walking it again and again takes most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load(path: str, environment: Mapping[str, str]) -> Loaded:
    sources = read_sources(path)
    found = sources.problems
    plan = None
    if sources.root is not None:
        plan = _compile(path, sources, environment, found)
    if any(problem.severity == "error" for problem in found):
        plan = None
    unique = tuple(dict.fromkeys(found))
    return Loaded(plan, unique, sources.texts, sources.watched, sources.unreadable)


def redact(problem: Problem, secrets: Collection[str]) -> Problem:
    """The problem without any secret's text in it."""
    if not secrets:
        return problem
    message, hint = problem.message, problem.hint
    for secret in sorted(secrets, key=len, reverse=True):
        for written in _spellings(secret):
            message, hint = _without(message, written), _without(hint, written)
    return replace(problem, message=message, hint=hint)


def _spellings(secret: str) -> tuple[str, ...]:
    """How a message may spell a value: as it is, escaped for the language, or as Python shows it."""
    forms = (secret, secret.replace("${", "$${"))
    return tuple(dict.fromkeys([*forms, *(repr(form)[1:-1] for form in forms)]))


def _without(text: str, secret: str) -> str:
    """The text without a secret, and without what a shortened one has left of it."""
    text = text.replace(secret, "…")
    for length in range(min(len(secret), 200) - 1, _RECOGNISABLE - 1, -1):
        if secret[:length] in text:
            return text.replace(secret[:length], "…")
    return text


def _compile(path: str, sources: Sources, env: Mapping[str, str], found: list[Problem]) -> Plan | None:
    assert sources.root is not None
    folder = env.get("PROXY_SECRETS", SECRETS_FOLDER)
    resolver = Resolver(env, secret_reader(folder, sources.watched))
    if any(mentions_environment(text) for text in sources.texts.values()):
        for node in (sources.root, *sources.included):
            resolver.resolve(node)
    unset = {problem.span for problem in resolver.problems}
    plan = _check_and_compile(path, sources, env, found)
    # A value that is not there is reported once, not again as a wrong URL or name.
    found[:] = [*(problem for problem in found if problem.span not in unset), *resolver.problems]
    found[:] = [redact(problem, resolver.secrets) for problem in found]
    return plan


def _check_and_compile(path: str, sources: Sources, env: Mapping[str, str], found: list[Problem]) -> Plan | None:
    assert sources.root is not None
    document = merge_documents(sources.root, sources.included, found)
    if document is None:
        return None
    checked = check_document(document, path, found)
    if checked is None:
        return None
    folder = os.path.dirname(path)
    _read_key_sets(checked.config.auth, folder, sources.watched)
    plan = compile_plan(checked.config, checked.routes, checked.place, env)
    return _read_tls(plan, folder, sources.watched, checked.place) if plan is not None else None


def _read_key_sets(auths: dict[str, Auth], folder: str, watched: dict[str, bytes]) -> None:
    """Put the contents of the files that `jwks` names in their place. What cannot be read stays, to be reported."""
    for name, auth in auths.items():
        jwks = auth.jwks
        if not isinstance(jwks, str) or "://" in jwks or jwks.lstrip().startswith("{") or not jwks:
            continue
        path = os.path.join(folder, jwks)
        try:
            data = read_limited(path)
            watched[path] = fingerprint(data)
            auths[name] = auth.model_copy(update={"jwks": data.decode()})
        except (OSError, ValueError):  # ValueError: no text, or a NUL in the name
            watched[path] = ABSENT


def _read_tls(plan: Plan, folder: str, watched: dict[str, bytes], place: Place) -> Plan:
    """The plan with the files of its upstreams' TLS found, watched, and tried."""
    read = {}
    for name, upstream in plan.upstreams.items():
        if upstream.tls is None:
            continue
        tls, contents = read_files(upstream.tls, folder)
        watched.update((file, ABSENT if data is None else fingerprint(data)) for file, data in contents.items())
        try:
            make_context(tls)
        except UnusableFile as error:
            (place / "upstreams" / name / "tls" / error.key).problem("bad-tls", str(error))
        read[name] = replace(upstream, tls=tls)
    if read:
        plan = replace(plan, upstreams={**plan.upstreams, **read})
    return _read_server_tls(plan, folder, watched, place / "server" / "tls")


def _read_server_tls(plan: Plan, folder: str, watched: dict[str, bytes], place: Place) -> Plan:
    """The plan with the files of the listener's TLS found, watched, and tried."""
    if plan.server.tls is None:
        return plan
    tls, contents = read_server_files(plan.server.tls, folder)
    watched.update((file, ABSENT if data is None else fingerprint(data)) for file, data in contents.items())
    try:
        make_certificates(tls)
    except UnusableFile as error:
        for key in error.key.split("."):
            place /= int(key) if key.isdecimal() else key
        place.problem("bad-tls", str(error))
    return replace(plan, server=replace(plan.server, tls=tls))

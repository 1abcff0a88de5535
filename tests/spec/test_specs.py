"""Runs the specs: Markdown pages whose fenced blocks are a config, its upstreams, requests and answers.

Each `##` section with a `@config` block is one case. Blocks:

    yaml @config              the routes.yaml; ${env.USERS} is the address of the stub `users`
    yaml @file NAME           one more file beside it
    yaml @stub NAME           what that upstream answers: a list of {request, status, json|body, headers, fault, hits}
    yaml @test                requests and answers: a list of {request, headers, body, expect}
    (`turns` of a stub's answer is a list of what is said first, second …, the last one over and over)
    (a header that is a list in `headers` of a stub or of `expect` stands several times)
    text @problems            instead of tests: every problem that `check` prints, in order

Pages of docs/ and the README are specs too.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import RawTestServer
from multidict import CIMultiDict
from yarl import URL

from proxy.config.render import ordered
from proxy.loading import load
from proxy.testing.runner import run_tests

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "tests/spec").glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
_FENCE = re.compile(r"^```(\w+)((?: @?\S+)*)\n(.*?)^```$", re.M | re.S)


@dataclass
class Case:
    """One section of a page."""

    name: str
    config: str = ""
    files: dict[str, str] = field(default_factory=dict)
    stubs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tests: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] | None = None


def read_cases(page: Path) -> list[Case]:
    cases = []
    for number, section in enumerate(re.split(r"^## ", page.read_text("utf-8"), flags=re.M)):
        title = section.partition("\n")[0] if number else "beginning"
        case = Case(f"{page.relative_to(ROOT)}: {title}")
        for _, marks, text in _FENCE.findall(section):
            add_block(case, marks.split(), text)
        if case.config:
            cases.append(case)
    return cases


def add_block(case: Case, marks: list[str], text: str) -> None:
    match marks:
        case ["@config"]:
            case.config = text
        case ["@file", name]:
            case.files[name] = text
        case ["@stub", name]:
            case.stubs[name] = yaml.safe_load(text)
        case ["@test"]:
            case.tests = yaml.safe_load(text)
        case ["@problems"]:
            case.problems = text.splitlines()


class Stub:
    """An upstream that answers what its block says, and counts."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self.answers = answers
        self.hits = [0] * len(answers)
        self.unexpected: list[str] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        wanted = f"{request.method} {request.raw_path}"
        for index, answer in enumerate(self.answers):
            if answer["request"] == wanted:
                turns = answer.get("turns", [{}])
                turn = turns[min(self.hits[index], len(turns) - 1)]
                self.hits[index] += 1
                return await self._answer(request, {**answer, **turn})
        self.unexpected.append(wanted)
        return web.json_response({"unexpected": wanted}, status=500)

    async def _answer(self, request: web.BaseRequest, answer: dict[str, Any]) -> web.StreamResponse:
        body = await request.text()
        if "sends" in answer:
            assert json.loads(body) == answer["sends"], f"{answer['request']} was sent {body!r}"
        for name, value in answer.get("receives", {}).items():
            assert request.headers.get(name) == value, (
                f"{answer['request']} came with {name}: {request.headers.get(name)}"
            )
        if answer.get("fault") == "never":
            await asyncio.Event().wait()  # until the gateway has had enough
        if answer.get("fault") == "drop":
            assert request.transport is not None
            request.transport.abort()
        text = answer["body"] if "body" in answer else json.dumps(answer.get("json"))
        headers = CIMultiDict({"Content-Type": "application/json"})
        for name, value in answer.get("headers", {}).items():
            headers.popall(name, None)
            headers.extend((name, one) for one in (value if isinstance(value, list) else [value]))
        return web.Response(status=answer.get("status", 200), text=text, headers=headers)


CASES = [case for page in PAGES for case in read_cases(page)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_spec_holds(case: Case, serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"routes.yaml": case.config, **case.files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    if case.problems is not None:
        assert [str(problem) for problem in ordered(load("routes.yaml", {}).problems)] == case.problems
        return
    async with AsyncExitStack() as stack:
        stubs = {name: Stub(answers) for name, answers in case.stubs.items()}
        env = {}
        for name, stub in stubs.items():
            server = await stack.enter_async_context(_served(stub))
            env[name.upper()] = str(server.make_url("")).rstrip("/")
        url = await stack.enter_async_context(serving(Path("routes.yaml"), env))
        await asyncio.to_thread(run_tests_beside_routes, env)
        session = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
        for one in case.tests:
            await run_test(session, url, one)
        check_hits(stubs)


def run_tests_beside_routes(env: dict[str, str]) -> None:
    """What `proxy-composer test` runs, for pages that show it."""
    plan = load("routes.yaml", env).plan
    assert plan is not None
    failed = [result for result in run_tests(plan) if result.failures]
    assert not failed, failed


@asynccontextmanager
async def _served(stub: Stub) -> AsyncIterator[Any]:
    async with RawTestServer(stub) as server:
        yield server


async def run_test(session: ClientSession, url: str, test: dict[str, Any]) -> None:
    method, _, target = test["request"].partition(" ")
    expect = test["expect"]
    data = json.dumps(test["json"]) if "json" in test else test.get("body")
    headers = {**({"Content-Type": "application/json"} if "json" in test else {}), **test.get("headers", {})}
    async with session.request(
        method, URL(url + target, encoded=True), headers=headers, data=data, allow_redirects=False
    ) as response:
        text = await response.text()
        said = f"{test['request']} answered {response.status} {dict(response.headers)} {text}"
        assert response.status == expect.get("status", 200), said
        if "json" in expect:
            got = json.loads(text)
            if isinstance(got, dict):
                got.pop("request_id", None)
            assert got == expect["json"], said
        if "body" in expect:
            assert text == expect["body"], said
        for name, value in expect.get("headers", {}).items():
            got = response.headers.getall(name, []) if isinstance(value, list) else response.headers.get(name)
            assert got == value, said


def check_hits(stubs: dict[str, Stub]) -> None:
    for name, stub in stubs.items():
        assert not stub.unexpected, f"{name} was asked for {stub.unexpected}"
        for answer, hits in zip(stub.answers, stub.hits, strict=True):
            if "hits" in answer:
                assert hits == answer["hits"], f"{name} {answer['request']}: {hits} hits"


def test_there_are_specs() -> None:
    assert len(CASES) > 20

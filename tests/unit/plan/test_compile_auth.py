from pathlib import Path
from typing import Any

import pytest

from proxy.loading import load
from proxy.plan.auth import ApiKeysPlan, JwtPlan

HEX = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"


def loaded(tmp_path: Path, auth: str, route: str = "auth: a, reply: {body: hi}") -> Any:
    text = (
        f"version: 1\nupstreams: {{u: http://u}}\nauth: {{a: {auth}}}\nroutes: [{{name: r, match: GET /, {route}}}]\n"
    )
    (tmp_path / "routes.yaml").write_text(text)
    return load(str(tmp_path / "routes.yaml"), {})


def test_keys_are_known_by_their_hash_with_their_claims(tmp_path: Path) -> None:
    both = f"{{type: api_key, keys: {{x: {{sha256: {HEX}, claims: {{plan: gold}}}}, y: {{secret: '2'}}}}}}"
    auth = loaded(tmp_path, both).plan.routes[0].auth
    assert auth.headers == ("X-API-Key",)
    assert isinstance(auth.providers[0], ApiKeysPlan)
    assert auth.providers[0].holders[bytes.fromhex(HEX)] == {"sub": "x", "plan": "gold"}
    assert len(auth.providers[0].holders) == 2


def test_tokens_have_sound_defaults(tmp_path: Path) -> None:
    plan = loaded(tmp_path, "{type: jwt, jwks: 'https://idp/keys', audience: shop}").plan.routes[0].auth.providers[0]
    assert isinstance(plan, JwtPlan)
    assert plan.algorithms == {"RS256", "ES256", "EdDSA"}
    assert (plan.audiences, plan.leeway_s, plan.cooldown_s) == (frozenset({"shop"}), 30, 30)


@pytest.mark.parametrize(
    "auth,code",
    [
        ("{type: api_key}", "missing-key"),
        ("{type: basic}", "missing-key"),
        ("{type: jwt}", "missing-key"),
        ("{type: api_key, users: {}, keys: {x: {secret: s}}}", "conflicting-keys"),
        ("{type: api_key, header: 'a b', keys: {x: {secret: s}}}", "bad-header"),
        ("{type: api_key, header: a, query: b, keys: {x: {secret: s}}}", "conflicting-keys"),
        ("{type: api_key, keys: {x: {}}}", "missing-key"),
        ("{type: api_key, keys: {x: {secret: ''}}}", "wrong-type"),
        ("{type: api_key, keys: {x: {sha256: abc}}}", "bad-hash"),
        ("{type: api_key, keys: {x: {secret: s}, y: {secret: s}}}", "duplicate-key"),
        ("{type: basic, users: {'a:b': {secret: s}}}", "bad-name"),
        ("{type: jwt, jwks: 'ftp://x'}", "bad-url"),
        ("{type: jwt, jwks: 'http://x:0/'}", "bad-url"),
        ("{type: jwt, jwks: '{'}", "bad-keys"),
        ("{type: jwt, jwks: {keys: [{kty: oct, k: AAAA}]}}", "bad-keys"),
        ("{type: jwt, jwks: 'https://x', algorithms: [none]}", "bad-algorithm"),
        ("{type: jwt, jwks: 'https://x', algorithms: [HS256]}", "bad-algorithm"),
        ("{type: jwt, jwks: 'https://x', algorithms: []}", "bad-algorithm"),
        ("{type: jwt, jwks: 'https://x', header: a, cookie: b}", "conflicting-keys"),
    ],
)
def test_what_cannot_be_a_provider(auth: str, code: str, tmp_path: Path) -> None:
    assert [problem.code for problem in loaded(tmp_path, auth).problems] == [code]


def test_keys_may_be_in_a_redis(tmp_path: Path) -> None:
    plan = loaded(tmp_path, "{type: api_key, redis: 'redis://:pw@h'}").plan.routes[0].auth.providers[0]
    assert (plan.stored.prefix, plan.stored.timeout_s, plan.stored.refresh_s) == ("proxy-composer:key:", 0.1, 10)
    assert "pw" not in repr(plan)
    assert [problem.code for problem in loaded(tmp_path, "{type: api_key, redis: h}").problems] == ["bad-url"]
    alone = "{type: api_key, keys: {x: {secret: s}}, prefix: x}"
    assert [problem.code for problem in loaded(tmp_path, alone).problems] == ["conflicting-keys"]


@pytest.mark.parametrize(
    "route,code",
    [
        ("auth: b, reply: {body: hi}", "unknown-auth"),
        ("auth: [a, b], reply: {body: hi}", "unknown-auth"),
        ("auth: [], reply: {body: hi}", "missing-key"),
        ("reply: {body: $.claims.sub}", "claims-without-auth"),
        ("reply: {}, tests: [{name: t, request: {path: /, claims: {}}}]", "claims-without-auth"),
        ("reply: {}, allow: 'claims.sub == \"x\"'", "unknown-root"),
        ("auth: a, reply: {}, allow: 'body.x == 1'", "unknown-root"),
        ("auth: a, reply: {}, allow: 'x =='", "bad-cel"),
        ("auth: a, proxy: u, cache: {query: [page]}", "conflicting-keys"),
    ],
)
def test_what_a_route_cannot_ask_for(route: str, code: str, tmp_path: Path) -> None:
    keys = "{type: api_key, query: key, keys: {x: {secret: s}}}"
    assert [problem.code for problem in loaded(tmp_path, keys, route).problems] == [code]


def test_a_wrong_hash_is_not_repeated(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{type: api_key, keys: {x: {sha256: the-key-itself}}}").problems
    assert "the-key-itself" not in str(found[0])


def test_tokens_need_packages_that_may_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.plan.compile_auth.find_spec", lambda name: None)
    problem, *_ = loaded(tmp_path, "{type: jwt, jwks: 'https://idp/keys'}").problems
    assert (problem.code, problem.hint) == ("missing-extra", "pip install 'proxy-composer[jwt]'")

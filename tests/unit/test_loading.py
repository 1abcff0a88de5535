import gc
import json
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from proxy.config.source import ABSENT, GLOB
from proxy.loading import load, redact
from proxy.problems import Problem, Span

ROUTES = "version: 1\nupstreams: {u: 'http://u'}\nroutes:\n  - {name: a, match: GET /a, proxy: u}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return path


def test_a_good_file_becomes_a_plan(config: Path) -> None:
    loaded = load(str(config), {})
    assert loaded.plan is not None
    assert [route.name for route in loaded.plan.routes] == ["a"]
    assert not loaded.problems


def test_an_error_leaves_no_plan(config: Path) -> None:
    config.write_text(ROUTES.replace("proxy: u", "proxy: v"))
    loaded = load(str(config), {})
    assert loaded.plan is None
    assert [problem.code for problem in loaded.problems] == ["unknown-upstream"]


def test_a_file_that_cannot_be_read_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    loaded = load(str(tmp_path / "gone.yaml"), {})
    assert loaded.unreadable
    assert [problem.code for problem in loaded.problems] == ["unreadable-file"]


def test_every_file_glob_and_secret_that_was_looked_for_is_watched(config: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    config.write_text(ROUTES.replace("'http://u'", "'${secret.url}'") + "include: [gone.yaml, 'conf.d/*.yaml']\n")
    watched = load(str(config), {"PROXY_SECRETS": str(secrets)}).watched
    assert watched[str(tmp_path / "gone.yaml")] == ABSENT
    assert watched[str(tmp_path / "conf.d/*.yaml")] == GLOB
    assert watched[str(secrets / "url")] == ABSENT
    assert watched[str(config)] not in (ABSENT, GLOB)


def test_no_problem_repeats_a_secret(config: Path, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("not-a-url-but-hunter2")
    config.write_text(ROUTES.replace("'http://u'", "'${secret.url}'"))
    loaded = load(str(config), {"PROXY_SECRETS": str(tmp_path)})
    assert loaded.plan is None
    assert "hunter2" not in " ".join(str(problem) for problem in loaded.problems)


@pytest.mark.parametrize("secret", ["hunter2" * 20, "hunter2\nline", "it's hunter2 ${x}", "back\\slash-hunter2"])
def test_no_problem_repeats_a_secret_however_it_is_spelled(secret: str, config: Path, tmp_path: Path) -> None:
    (tmp_path / "word").write_text(secret)
    config.write_text(ROUTES + "server: {drain: '${secret.word}'}\n")
    loaded = load(str(config), {"PROXY_SECRETS": str(tmp_path)})
    assert loaded.plan is None
    assert "hunter2" not in " ".join(str(problem) for problem in loaded.problems)


@pytest.mark.parametrize(
    "text",
    [
        "server: {max_body: " + "9" * 400 + "B}",
        "server: {drain: 0x" + "f" * 5000 + "}",
        'include: "a\\0b.yaml"',
        "a0: &a0 [1]\n" + "\n".join(f"a{n}: &a{n} {'[' * 95}*a{n - 1}{']' * 95}" for n in range(1, 8)),
        "defaults: {call: {pass_status: ['4²²']}}",
        "include: 5",
        "routes: {a: 1}",
    ],
)
def test_whatever_a_file_says_is_a_problem_and_never_a_crash(text: str, config: Path) -> None:
    config.write_text(f"version: 1\n{text}\n")
    assert load(str(config), {}).plan is None


def test_an_unset_variable_is_one_problem_and_not_a_wrong_url_as_well(config: Path) -> None:
    config.write_text(ROUTES.replace("'http://u'", "'${env.NOPE}'"))
    assert [problem.code for problem in load(str(config), {}).problems] == ["unset-env"]


def test_loading_leaves_the_garbage_collector_as_it_was(config: Path) -> None:
    assert gc.isenabled()
    load(str(config), {})
    assert gc.isenabled()


def test_a_garbage_collector_that_was_off_stays_off(config: Path) -> None:
    gc.disable()
    try:
        load(str(config), {})
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_environment_of_the_process_is_taken_where_none_is_given(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM", "http://from-env:81")
    config.write_text(ROUTES.replace("'http://u'", "'${env.UPSTREAM}'"))
    plan = load(str(config)).plan
    assert plan is not None
    assert plan.upstreams["u"].endpoints[0].authority == "from-env:81"


def test_redaction_covers_message_and_hint_and_leaves_the_rest(config: Path) -> None:
    problem = Problem(span=Span("f", 1, 2), code="c", message="bad hunter2", hint="not hunter2")
    assert redact(problem, {"hunter2"}) == Problem(span=Span("f", 1, 2), code="c", message="bad …", hint="not …")
    assert redact(problem, ()) is problem


def tls_config(tls: str, url: str = "https://up") -> str:
    return f"version: 1\nupstreams: {{up: {{urls: ['{url}'], tls: {tls}}}}}\n"


@pytest.mark.parametrize(
    "tls,url,found",
    [
        ("{ca: none.pem}", "https://up", ("bad-tls", "error", "this file cannot be read")),
        ("{cert: routes.yaml}", "https://up", ("bad-tls", "error", "certificate and key do not fit")),
        ("{key: key.pem}", "https://up", ("bad-tls", "error", "a key without its certificate")),
        ("{}", "http://up", ("bad-tls", "error", "none of the urls is https")),
        ("{verify: false}", "https://up", ("tls-not-verified", "warning", "anyone who answers")),
    ],
)
def test_tls_that_cannot_be_used_is_a_problem_where_it_stands(
    tls: str, url: str, found: tuple[str, str, str], tmp_path: Path
) -> None:
    (tmp_path / "routes.yaml").write_text(tls_config(tls, url))
    (problem,) = load(str(tmp_path / "routes.yaml"), {}).problems
    assert (problem.code, problem.severity) == found[:2]
    assert found[2] in problem.message
    assert problem.span.line == 2


def test_the_files_of_tls_are_watched_and_new_ones_make_another_upstream(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    (tmp_path / "routes.yaml").write_text(tls_config("{ca: ca.pem}"))
    before = load(str(tmp_path / "routes.yaml"), {})
    assert str(authority) in before.watched
    again = load(str(tmp_path / "routes.yaml"), {})
    trustme.CA().cert_pem.write_to_path(str(authority))
    after = load(str(tmp_path / "routes.yaml"), {})
    assert before.plan is not None
    assert again.plan is not None
    assert after.plan is not None
    assert before.plan.upstreams == again.plan.upstreams
    assert before.plan.upstreams != after.plan.upstreams
    assert before.watched != after.watched


def test_the_keys_of_an_issuer_may_be_in_a_file_which_is_watched(tmp_path: Path) -> None:
    config, keys = tmp_path / "routes.yaml", tmp_path / "jwks.json"
    config.write_text(
        "version: 1\nauth: {a: {type: jwt, jwks: jwks.json}}\n"
        "routes: [{name: r, match: GET /, auth: a, reply: {body: $.claims}}]\n"
    )
    for text, code in ((None, "bad-url"), ("keys: no json", "bad-url"), ('{"keys": "none"}', "bad-keys")):
        if text is not None:
            keys.write_text(text)
        (problem,) = load(str(config), {}).problems
        assert (problem.code, problem.span.line) == (code, 2)
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    keys.write_text(json.dumps({"keys": [{**ECAlgorithm.to_jwk(public, as_dict=True), "kid": "k1"}]}))
    loaded = load(str(config), {})
    assert loaded.plan is not None
    assert loaded.plan.routes[0].auth.providers[0].keys["keys"][0]["kid"] == "k1"  # type: ignore[union-attr,index]
    assert str(keys) in loaded.watched

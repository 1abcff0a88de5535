"""The house rules: imports run one way, below the line nobody waits, tests mirror the code, files stay small."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROXY = ROOT / "proxy"
MODULES = sorted(PROXY.rglob("*.py"))

# A module may import from its own package and from lower floors. Packages on one floor do not see each other.
FLOORS = (
    ("clock", "errors", "problems", "message", "document", "background"),
    ("events", "service", "target"),
    ("expr", "policy"),
    ("merge",),
    ("config",),
    ("plan",),
    ("tls", "fetching"),
    ("observe", "upstream", "loading"),
    ("cache",),
    ("engine",),
    ("security",),
    ("server",),
    ("gateway", "testing"),
    ("reload", "admin"),
    ("cli",),
    ("__main__",),
)
RANK = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# `config/source.py` reads files, which is what it is for.
PURE = {"errors", "problems", "message", "document", "events", "target", "expr", "merge", "config", "plan", "policy"}
IMPURE_FILES = {"config/source.py"}
WAITING = {
    "aiohttp",
    "asyncio",
    "socket",
    "ssl",
    "time",
    "random",
    "os",
    "pathlib",
    "logging",
    "threading",
    "subprocess",
}
MAX_LINES = 450
MAX_FUNCTION = 60


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def floor_name(path: Path) -> str:
    return path.relative_to(PROXY).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """The modules that a module needs when it runs (not those for type checkers only)."""
    tree = ast.parse(path.read_text("utf-8"))
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        waiting.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_lower_floors(path: Path) -> None:
    here = floor_name(path)
    if here == "__init__":
        return
    for module in imports(path):
        parts = module.split(".")
        if parts[0] == "proxy" and len(parts) > 1 and parts[1] != here:
            assert RANK[parts[1]] < RANK[here], f"{name_of(path)} imports {module}, which is not on a lower floor"


@pytest.mark.parametrize("path", [path for path in MODULES if floor_name(path) in PURE], ids=name_of)
def test_a_pure_module_imports_nothing_that_waits(path: Path) -> None:
    if path.relative_to(PROXY).as_posix() in IMPURE_FILES:
        return
    found = {module.partition(".")[0] for module in imports(path)} & WAITING
    assert not found, f"{name_of(path)} imports {', '.join(sorted(found))}"


def test_there_is_no_cycle_between_modules() -> None:
    known = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in MODULES}
    graph = {
        name: [module for module in imports(path) if module in known and module != name] for name, path in known.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for inner in graph[name]:
                visit(inner, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", [path for path in MODULES if not path.name.startswith("__")], ids=name_of)
def test_every_module_has_its_unit_test(path: Path) -> None:
    relative = path.relative_to(PROXY)
    test = ROOT / "tests/unit" / relative.parent / f"test_{relative.name}"
    assert test.exists(), f"{name_of(path)} has no {name_of(test)}"


def test_every_unit_test_has_its_module() -> None:
    for test in (ROOT / "tests/unit").rglob("test_*.py"):
        relative = test.relative_to(ROOT / "tests/unit")
        module = PROXY / relative.parent / relative.name.removeprefix("test_")
        assert module.exists(), f"{name_of(test)} tests nothing that exists"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_LINES, (
        f"{name_of(path)} is over {MAX_LINES} lines: is there a second thing in it?"
    )
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{name_of(path)}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_pattern_is_possessive(path: Path) -> None:
    """Python 3.11.2, which Debian 12 has, matches some of them wrongly: `(?:/(?!x)y+)++` looks past its `x`."""
    if path.name == "__main__.py":
        return
    module = importlib.import_module(name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    for name, value in vars(module).items():
        if isinstance(value, re.Pattern):
            parts = repr(re._parser.parse(value.pattern, value.flags))  # type: ignore[attr-defined]
            assert "POSSESSIVE_REPEAT" not in parts, name
            assert "ATOMIC_GROUP" not in parts, name

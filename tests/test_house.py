"""The house stands: imports point one way, nothing unsafe or far away is reached for, every test asserts something.

Each rule is a function from a folder to its breaches, and is tried on a planted breach as well as on this repository.
"""

import ast
import re
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = (
    {"errors", "picture", "progress", "threads"},
    {"trace"},
    {"perturb"},
    {"lab", "models"},
    {"attention", "attribution", "information", "diagnostics", "tokens", "counterfactual", "pitfalls", "rulers"},
    {"charts"},
    {"lessons", "classroom"},
    {"ui", "sweep", "cli", "__main__", ""},  # "" is the package itself, which offers everything by name
    {"app_pages", "app"},
)
LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}


class Import(NamedTuple):
    target: str  # dotted
    line: int
    lazy: bool  # inside a function
    typing: bool  # under `if TYPE_CHECKING`


# Reading the tree


def sources(root: Path) -> list[Path]:
    return [*sorted(root.glob("vlmlens/**/*.py")), *sorted(root.glob("app_pages/**/*.py")), *root.glob("app.py")]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of the house: `trace` for vlmlens.trace.watch, `app_pages` for a page, "" for vlmlens itself."""
    first, _, rest = module.partition(".")
    return rest.split(".")[0] if first == "vlmlens" else first


def imports(path: Path, root: Path, modules: set[str]) -> Iterator[Import]:
    """Every import of a file, by the module it reaches: `from vlmlens import charts` reaches vlmlens.charts."""
    package = module_name(path, root).split(".")
    if path.name != "__init__.py":
        package.pop()

    def targets(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                dunder = base == "vlmlens" and alias.name.startswith("__")  # __version__ drags nothing in
                name = f"{base}.{alias.name}"
                yield "vlmlens.errors" if dunder else name if name in modules else base
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield from (str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant))

    def walk(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            yield from (Import(target, child.lineno, lazy, typing) for target in targets(child))
            guarded = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, lazy or function, typing or guarded)

    yield from walk(parse(path), False, False)


def house(root: Path) -> Iterator[tuple[str, str, Import]]:
    """(place, module, import) for every import in the house."""
    modules = {module_name(path, root) for path in sources(root)}
    for path in sources(root):
        for found in imports(path, root, modules):
            yield f"{path.relative_to(root)}:{found.line}", module_name(path, root), found


# The rules


def strangers(root: Path) -> list[str]:
    parts = {part_of(module_name(path, root)) for path in sources(root)}
    return [f"{part} stands on no floor: give it one in FLOORS" for part in sorted(parts - LEVEL.keys())]


def upward_imports(root: Path) -> list[str]:
    return [
        f"{place}: {part_of(module)} knows {found.target}"
        for place, module, found in house(root)
        if found.target.split(".")[0] in ("vlmlens", "app_pages", "app")
        and LEVEL.get(part_of(found.target), len(FLOORS)) > LEVEL.get(part_of(module), -1)
        and not (module == "vlmlens" and (found.lazy or found.typing))
    ]


def eager_front_door(root: Path) -> list[str]:
    return [
        f"{place}: importing vlmlens would load {found.target}"
        for place, module, found in house(root)
        if module == "vlmlens" and found.target.startswith("vlmlens.") and not (found.lazy or found.typing)
        if LEVEL.get(part_of(found.target), 0) > 0
    ]


def streamlit_below_ui(root: Path) -> list[str]:
    return [
        f"{place}: {found.target} outside ui, app_pages and app.py"
        for place, module, found in house(root)
        if found.target.split(".")[0] == "streamlit" or found.target.startswith("vlmlens.ui")
        if part_of(module) not in ("ui", "app_pages", "app")
        and not (part_of(module) in ("cli", "") and found.lazy)
        and not found.typing
    ]


def cycles(root: Path) -> list[str]:
    graph: dict[str, set[str]] = {}
    for _, module, found in house(root):
        if found.target != module and not (found.lazy or found.typing):
            graph.setdefault(module, set()).add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def unsafe_calls(root: Path) -> list[str]:
    def unsafe(node: ast.AST) -> bool:
        match node:
            case ast.Import(names=names):
                return any(alias.name.split(".")[0] == "pickle" for alias in names)
            case ast.ImportFrom(module="pickle") | ast.Call(func=ast.Name(id="eval" | "exec")):
                return True
            case ast.ImportFrom(module="torch", names=names):
                return any(alias.name == "load" for alias in names)
            case ast.Attribute(value=ast.Name(id="torch"), attr="load") | ast.Attribute(attr="read_pickle"):
                return True
            case ast.keyword(arg="trust_remote_code" | "allow_pickle", value=value):
                return not (isinstance(value, ast.Constant) and value.value is False)
        return False

    return [
        f"{path.relative_to(root)}:{node.lineno}: {ast.unparse(node)}"
        for path in sources(root)
        for node in ast.walk(parse(path))
        if unsafe(node)
    ]


def far_addresses(root: Path) -> list[str]:
    """Addresses in what the browser runs. XML namespaces are names, not addresses."""
    address = re.compile(r"""https?://(?!www\.w3\.org/)|(?:src|href|url|import|fetch)\s*[=(]?\s*["'(]//""", re.I)
    files = chain.from_iterable(root.glob(f"vlmlens/**/*.{kind}") for kind in ("js", "css", "html"))
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
        for path in sorted(files)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if address.search(line)
    ]


def app_that_does_more_than_navigate(root: Path) -> list[str]:
    app = root / "app.py"
    if not app.exists():
        return []
    lines = len(app.read_text(encoding="utf-8").splitlines())
    computing = [
        f"app.py:{node.lineno}: {type(node).__name__}"
        for node in ast.walk(parse(app))
        if isinstance(node, ast.ClassDef | ast.For | ast.While | ast.AsyncFunctionDef)
    ]
    return computing + ([f"app.py has {lines} lines; navigation takes fewer than 60"] if lines >= 60 else [])


def empty_tests(root: Path) -> list[str]:
    def asserts(node: ast.AST) -> bool:
        if isinstance(node, ast.Assert):
            return True
        name = ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""
        return name in ("raises", "expect") or name.startswith("assert_")

    return [
        f"{path.relative_to(root)} asserts nothing"
        for path in sorted(root.glob("tests/**/test_*.py"))
        if not any(map(asserts, ast.walk(parse(path))))
    ]


# Each rule beside breaches that it must see: {file: text}. What it must let through is in `INNOCENT`.

PLANTED: list[tuple[Callable[[Path], list[str]], dict[str, str]]] = [
    (strangers, {"vlmlens/misc.py": ""}),
    (upward_imports, {"vlmlens/trace/a.py": "import vlmlens.attention"}),
    (upward_imports, {"vlmlens/trace/a.py": "from vlmlens import charts", "vlmlens/charts/__init__.py": ""}),
    (upward_imports, {"vlmlens/trace/a.py": "from ..lab.scenes import draw"}),
    (upward_imports, {"vlmlens/errors.py": "from .trace import x"}),
    (upward_imports, {"vlmlens/lab/a.py": "def f():\n    from vlmlens.attention import budget"}),
    (upward_imports, {"vlmlens/lab/a.py": "import importlib\nimportlib.import_module('vlmlens.charts')"}),
    (upward_imports, {"vlmlens/charts/a.py": "from vlmlens import load"}),
    (upward_imports, {"vlmlens/charts/a.py": "import vlmlens"}),
    (eager_front_door, {"vlmlens/__init__.py": "from vlmlens.trace import x"}),
    (streamlit_below_ui, {"vlmlens/charts/a.py": "import streamlit as st"}),
    (streamlit_below_ui, {"vlmlens/sweep/a.py": "def f():\n    from streamlit import session_state"}),
    (streamlit_below_ui, {"vlmlens/cli.py": "import streamlit"}),
    (streamlit_below_ui, {"vlmlens/sweep/a.py": "import vlmlens.ui.links"}),
    (cycles, {"vlmlens/lab/a.py": "from .b import x", "vlmlens/lab/b.py": "import vlmlens.lab.a"}),
    (cycles, {"vlmlens/lab/__init__.py": "from .a import x", "vlmlens/lab/a.py": "from vlmlens.lab import y"}),
    (unsafe_calls, {"vlmlens/trace/a.py": "import pickle"}),
    (unsafe_calls, {"vlmlens/trace/a.py": "from pickle import loads"}),
    (unsafe_calls, {"vlmlens/trace/a.py": "import torch\ntorch.load('x')"}),
    (unsafe_calls, {"vlmlens/trace/a.py": "from torch import load"}),
    (unsafe_calls, {"vlmlens/models/a.py": "f(x, trust_remote_code=True)"}),
    (unsafe_calls, {"vlmlens/models/a.py": "np.load(x, allow_pickle=flag)"}),
    (unsafe_calls, {"app_pages/a.py": "eval('1')"}),
    (unsafe_calls, {"app.py": "exec('1')"}),
    (far_addresses, {"vlmlens/ui/a.js": "fetch('https://example.org/x.js')"}),
    (far_addresses, {"vlmlens/ui/a.css": "@import '//example.org/a.css';"}),
    (far_addresses, {"vlmlens/ui/picture/a.html": '<script src="//example.org/x.js"></script>'}),
    (app_that_does_more_than_navigate, {"app.py": "for x in y:\n    pass"}),
    (app_that_does_more_than_navigate, {"app.py": "\n" * 60}),
    (empty_tests, {"tests/trace/test_a.py": "def test_a():\n    print('fine')"}),
]
RULES = list(dict.fromkeys(rule for rule, _ in PLANTED))
INNOCENT = {
    "app.py": "import streamlit as st\nfrom vlmlens import ui\nst.navigation([]).run()",
    "app_pages/a.py": "import streamlit as st\nfrom vlmlens import charts, ui\nfrom vlmlens.attention import budget",
    "vlmlens/__init__.py": "from vlmlens.errors import UserError\ndef __getattr__(n):\n    from vlmlens import models",
    "vlmlens/__main__.py": "from vlmlens.cli import main",
    "vlmlens/cli.py": "import vlmlens\ndef app():\n    from vlmlens.ui import launch",
    "vlmlens/errors.py": "",
    "vlmlens/trace/__init__.py": "from .watch import Watch\nfrom .edit import Edit",
    "vlmlens/trace/watch.py": "from vlmlens.errors import UserError\nmodel.eval()",
    "vlmlens/trace/edit.py": "from vlmlens.trace import watch\nload(x, trust_remote_code=False)",
    "vlmlens/attention/budget.py": "from vlmlens.trace import Watch",
    "vlmlens/diagnostics/card.py": "from ..attention import budget",
    "vlmlens/charts/budget.py": "from vlmlens import __version__\nfrom vlmlens.attention.budget import budget",
    "vlmlens/ui/__init__.py": "import streamlit as st\nfrom vlmlens.ui import links",
    "vlmlens/ui/links.py": "def f():\n    import vlmlens.ui",
    "vlmlens/ui/launch.py": "def f():\n    from streamlit.web import bootstrap",
    "vlmlens/ui/a.js": "document.createElementNS('http://www.w3.org/2000/svg', 'svg') // import it",
    "tests/test_a.py": "def test_a(page):\n    expect(page).to_be_visible()",
}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_has_no(rule):
    assert rule(ROOT) == []


@pytest.mark.parametrize(("rule", "files"), PLANTED)
def test_a_planted_breach_is_seen(rule, files, tmp_path):
    assert rule(plant(tmp_path, files))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_an_innocent_house_passes(rule, tmp_path):
    assert rule(plant(tmp_path, INNOCENT)) == []

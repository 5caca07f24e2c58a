"""The code base keeps its own rules: what may import what, what is exported, one version, a stub that agrees with the binding."""

from __future__ import annotations

import ast
import collections
import graphlib
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from folders import ROOT

import fastmlp
from fastmlp._engine.spec import Plan

PACKAGE = ROOT / "fastmlp"
SOURCES = ROOT / "src"

MODULES = sorted(module.name for module in pkgutil.walk_packages([str(PACKAGE)], "fastmlp.") if not module.name.endswith("__main__"))


KERNELS = sorted(path for path in (SOURCES / "kernels").rglob("*") if path.is_file())


def python_imports(path: Path) -> set[str]:
    """Names of the fastmlp modules that a file imports anywhere, the type-checking blocks left out."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update([node.module, *(f"{node.module}.{name.name}" for name in node.names)])
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse(path.read_text(encoding="utf-8")))
    return {name for name in found if name.split(".")[0] == "fastmlp"}


def quoted_includes(path: Path) -> list[Path]:
    """The files of src that a C file includes, relative to src."""
    names = re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    folders = (path.parent, SOURCES)
    resolved = []
    for name in names:
        candidates = [(folder / name).resolve() for folder in folders if (folder / name).is_file()]
        assert candidates, f"{path.name} includes {name}, which does not exist"
        resolved.append(candidates[0])
    return [path.relative_to(SOURCES) for path in resolved if path.is_relative_to(SOURCES)]


LAYERS = (
    "kernels",
    "fastmlp.h",
    "engine/base",
    "engine/graph",
    "engine/data",
    "engine/optim",
    "engine/ops",
    "engine/run",
    "python",
)
"""The C code from the bottom up: a file includes and calls its own layer and those before it."""

C_FILES = sorted(path.relative_to(SOURCES) for path in SOURCES.rglob("*.[ch]"))


def layer(path: Path) -> int:
    """The number of a file's layer."""
    return next(i for i, name in enumerate(LAYERS) if path.as_posix() == name or path.as_posix().startswith(name + "/"))


def code_of(path: Path) -> str:
    """A C file without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", (SOURCES / path).read_text(encoding="utf-8"), flags=re.DOTALL)


def called_files() -> dict[Path, set[Path]]:
    """For each C file those that define the functions it calls."""
    code = {path: code_of(path) for path in C_FILES if path.suffix == ".c"}
    owners = {}
    for path, text in code.items():
        owners.update(dict.fromkeys(re.findall(r"^(?!static\b)[A-Za-z_][\w \*]*?\b(\w+)\([^;{}]*\)\s*\{", text, re.MULTILINE), path))
    return {
        path: {owners[name] for name in re.findall(r"\b(\w+)\s*\(", text) if name in owners and owners[name] != path}
        for path, text in code.items()
    }


@pytest.mark.parametrize("path", C_FILES, ids=Path.as_posix)
def test_includes_point_down(path):
    inside = [name for name in quoted_includes(SOURCES / path) if name.suffix == ".h"]
    assert not [name.as_posix() for name in inside if layer(name) > layer(path)]


def test_calls_point_down_and_never_in_a_circle():
    called = called_files()
    assert sum(map(len, called.values())) > 50, "the calls were not found"
    assert not [f"{path} calls {other}" for path, others in called.items() for other in others if layer(other) > layer(path)]
    graphlib.TopologicalSorter(called).prepare()  # names the files of a circle


def test_a_name_of_c_means_one_thing():
    types, functions = collections.Counter(), set()
    for path in C_FILES:
        types.update(re.findall(r"^\} (fm_\w+);", code_of(path), re.MULTILINE))
        functions.update(re.findall(r"^(?!typedef)[A-Za-z_][\w \*]*?\b(fm_\w+)\([^;{}]*\)\s*\{", code_of(path), re.MULTILINE))
    assert types, "no type was found"
    assert [name for name, count in types.items() if count > 1] == []
    assert types.keys() & functions == set()


def test_a_constant_of_an_enum_begins_with_the_enum_s_name():
    found = 0
    for path in C_FILES:
        for body, name in re.findall(r"^typedef enum \w+ \{(.*?)\} fm_(\w+);", code_of(path), re.MULTILINE | re.DOTALL):
            constants = re.findall(r"\bFM_\w+", re.sub(r"^#.*$", "", body, flags=re.MULTILINE))
            assert all(constant.startswith(f"FM_{name.upper()}_") for constant in constants), f"{name} of {path}"
            found += len(constants)
    assert found > 30, "the enums were not found"


@pytest.mark.parametrize("word", ["pthread", "malloc", "calloc", "free"])
def test_kernels_know_no_thread_and_no_allocation(word):
    for path in KERNELS:
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(rf"\b{word}\w*\s*[(.]", code), f"{path.name} uses {word}"


def test_the_engine_includes_the_kernels_and_itself_only():
    for path in (SOURCES / "engine").rglob("*.[ch]"):
        for include in quoted_includes(path):
            assert include.parts[0] == "engine" or include.name in ("kernels.h", "kernels.def", "philox.h", "fastmlp.h"), (
                f"{path.name} includes {include}"
            )


def test_only_instruction_set_files_get_instruction_set_flags():
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    flagged = [line for line in cmake.splitlines() if re.search(r"""(?<=[\s";])-m\w""", line)]
    assert flagged, "no file is compiled for an instruction set"
    assert all(line.strip().startswith("set(flags_of_") for line in flagged), flagged
    assert not re.search(r"-march|-Ofast|-ffast-math", cmake)


def test_cmake_lists_every_c_file_and_no_other():
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    goals = re.findall(r"foreach\(goal ([\w ]+)\)", cmake)[0].split()
    written = re.findall(r"src/[\w/${}]+\.c\b", cmake)
    listed = {path.replace("${goal}", goal) for path in written for goal in goals}
    assert listed == {path.relative_to(ROOT).as_posix() for path in SOURCES.rglob("*.c")}


def test_the_binding_imports_only_the_contract_the_errors_and_quiet_arithmetic():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCES / "python").glob("*.p[yx]*"))
    imported = set(re.findall(r"(?:from|import)\s+(fastmlp[.\w]*)", text))
    assert imported <= {"fastmlp", "fastmlp._engine.spec", "fastmlp.errors", "fastmlp._base.numeric"}, imported
    for names in re.findall(r"from\s+fastmlp\s+import\s+(.+)", text):
        assert set(re.split(r"[,\s()]+", names)) <= {"errors", ""}, names


def test_the_reference_engine_imports_only_itself_the_contract_the_errors_quiet_arithmetic_and_hashes():
    allowed = ("fastmlp.reference", "fastmlp._engine.spec", "fastmlp.errors", "fastmlp._base.numeric", "fastmlp._base.hashing")
    for path in (PACKAGE / "reference").rglob("*.py"):
        above = [name for name in python_imports(path) if name != "fastmlp" and not name.startswith(allowed)]
        assert not above, f"{path.name} imports {above}"


def test_the_contract_imports_nothing_of_fastmlp():
    for path in ("_engine/spec.py", "errors.py", "_base/numeric.py", "_base/hashing.py"):
        assert python_imports(PACKAGE / path) == set()


@pytest.mark.parametrize("name", MODULES)
def test_every_exported_name_exists(name):
    module = importlib.import_module(name)
    missing = [export for export in getattr(module, "__all__", ()) if not hasattr(module, export)]
    assert not missing, f"{name}.__all__ names {missing}"


def test_every_lazy_name_of_the_package_exists_and_is_listed():
    assert set(fastmlp.__all__) <= set(dir(fastmlp))
    for name in fastmlp.__all__:
        assert getattr(fastmlp, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = fastmlp.no_such_name


def test_importing_fastmlp_loads_nothing_slow():
    code = (
        "import sys, numpy; before = set(sys.modules); import fastmlp; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    slow = {"rich", "safetensors", "argparse", "http", "urllib", "ssl", "matplotlib", "PIL", "zipfile", "gzip", "multiprocessing"}
    assert not loaded & slow


def test_the_version_is_the_same_everywhere():
    from fastmlp import _core

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert fastmlp.__version__ == version
    assert _core.version() == version
    released = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert released[0] == version, "CHANGELOG.md begins with another version"


# The stub of the binding


def stub() -> ast.Module:
    return ast.parse((PACKAGE / "_core.pyi").read_text(encoding="utf-8"))


def stub_names(body: list[ast.stmt]) -> set[str]:
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def public_names(thing: object) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def test_the_stub_lists_the_binding_s_names():
    from fastmlp import _core

    imported = {name for name in public_names(_core) if getattr(getattr(_core, name), "__module__", None) != "fastmlp._core"}
    constants = {name for name in imported if isinstance(getattr(_core, name), (int, str, float, tuple, dict))}
    assert stub_names(stub().body) == public_names(_core) - imported | constants


def test_the_stub_lists_the_members_of_every_class():
    from fastmlp import _core

    for node in stub().body:
        if isinstance(node, ast.ClassDef) and hasattr(_core, node.name):
            assert stub_names(node.body) == public_names(getattr(_core, node.name)), node.name


def test_the_stub_s_parameters_are_those_of_the_binding():
    from fastmlp import _core

    checked = 0
    for owner, body in [(_core, stub().body), *((getattr(_core, n.name), n.body) for n in stub().body if isinstance(n, ast.ClassDef))]:
        for node in body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("__") or node.decorator_list:
                continue
            wanted = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            given = list(inspect.signature(getattr(owner, node.name)).parameters)
            assert given == wanted, node.name
            checked += 1
    assert checked >= 10


def test_both_engines_have_the_same_interface():
    from fastmlp import _core, reference

    only_native = {"set_skip_below", "set_unfused", "flush", "skip_below"}  # other ways to the same bits, for the tests that compare them
    shared = public_names(_core.Network) - only_native
    assert shared <= set(dir(reference.Network(Plan((1,), (), (), 0))))
    for name in shared:
        method = getattr(_core.Network, name)
        if callable(method):
            assert list(inspect.signature(method).parameters) == list(inspect.signature(getattr(reference.Network, name)).parameters), name
    assert list(inspect.signature(_core.shuffle).parameters) == list(inspect.signature(reference.shuffle).parameters)


# Words that have no place in the repository

TEXTS = sorted(
    path
    for pattern in ("*.md", "*.toml", "*.txt", ".ci/run", "src/**/*.*", "fastmlp/**/*.py*", "tests/**/*.py", "benchmarks/*.py", "docs/*.md")
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix not in (".pyc", ".so") and path != Path(__file__).resolve()
)

FORBIDDEN = {
    r"\b(TODO|FIXME|XXX|HACK)\b": "finish it",
    r"#\s*noqa\b(?!:)": "name the rule and the reason",
    r"#\s*noqa:\s*[A-Z0-9, ]+$": "give the reason",
    r"#\s*type:\s*ignore(?!\[)": "name the error",
    r"except\s*(Exception|BaseException)?\s*:\s*(#.*)?\n\s*pass\b": "handle the error",
    r"(?i)\bissue (?:#\s*)?\d+\b": "the repository knows no issue numbers",
    r"(?i)\bpy[p]i\.org\b|pythonhosted": "no registry's host name",
    r"/work/": "no path of one machine",
}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_forbidden_words(path):
    text = path.read_text(encoding="utf-8")
    for pattern, advice in FORBIDDEN.items():
        match = re.search(pattern, text, re.MULTILINE)
        assert match is None, f"{match.group(0)!r}: {advice}"

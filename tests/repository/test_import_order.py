"""The package is built in layers: a file imports what stands below it, and nothing else, wherever in the file the import is written."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from folders import ROOT

PACKAGE = ROOT / "fastmlp"

LAYERS = (
    ("errors", "_engine.spec", "_plotting"),
    ("_base",),
    ("_program",),
    ("ops",),
    ("_data", "constraints", "config", "datasets", "initializers", "reference", "regularizers"),
    ("_engine", "_training.state", "losses", "variables"),
    ("activations", "bench", "callbacks", "metrics", "optimizers"),
    ("_graph",),
    ("_training", "layers"),
    ("_models",),
    ("saving", "utils"),
    ("backend", "models", "sweep"),
    ("plotting", "sklearn"),
    ("cli",),
    ("__main__",),
)
"""From the bottom up. Those beside each other do not import each other."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"}


def is_empty_package(name: str) -> bool:
    """Whether a file is the ``__init__.py`` of a folder that holds nothing but its description."""
    return FILES[name].name == "__init__.py" and len(ast.parse(FILES[name].read_text(encoding="utf-8")).body) == 1


def imports(name: str) -> set[str]:
    """The files of the package that a file imports anywhere, and the packages above them that Python then imports as well."""
    written: list[str] = []
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            written += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            written += [f"{node.module}.{alias.name}" for alias in node.names]
            written.append(str(node.module))
    found: set[str] = set()
    for full in (dotted.removeprefix("fastmlp.") for dotted in written if dotted.startswith("fastmlp.")):
        while full and full not in FILES:
            full = full.rpartition(".")[0]
        parent = full.rpartition(".")[0]
        found |= {full} if f"{name}.".startswith(f"{parent}.") else {full, parent}
    return {other for other in found - {name, ""} if not is_empty_package(other)}


IMPORTS = {name: imports(name) for name in FILES}


def place(name: str) -> tuple[int, str]:
    """The layer of a file, and which entry of the table it belongs to: the longest one that begins its name."""
    entries = [(number, entry) for number, layer in enumerate(LAYERS) for entry in layer if f"{name}.".startswith(f"{entry}.")]
    assert entries, f"fastmlp.{name} has no place in the order of the layers"
    return max(entries, key=lambda found: len(found[1]))


def test_every_file_imports_only_what_stands_below_it():
    upward = []
    for name, imported in IMPORTS.items():
        for other in imported:
            (mine, my_entry), (its, its_entry) = place(name), place(other)
            if my_entry != its_entry and its >= mine:
                upward.append(f"{name} imports {other}")
    assert not upward, sorted(upward)


def test_no_files_import_each_other_in_a_circle():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from None


def test_only_what_users_import_lies_beside_the_folders():
    users_import = {"activations", "backend", "config", "constraints", "errors", "initializers", "models", "plotting", "regularizers"}
    flat = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert flat == users_import | {"utils", "variables"}


def test_the_architecture_page_has_the_same_order():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## What may import what")[2].partition("\n## ")[0]
    shown = [set(line.split()) for line in section.splitlines() if line.startswith("    ")]
    assert shown == [set(layer) for layer in reversed(LAYERS)]


def test_the_architecture_page_names_every_folder_and_file_that_users_import():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## The folders")[2].partition("\n## ")[0]
    folders = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    modules = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert folders | modules <= set(section.split())

"""The tests use what users use: private modules only where those are what is tested."""

from __future__ import annotations

import re
from collections import Counter

from folders import TESTS

ENGINES = ("_core", "_engine")
FOLDERS = {
    "engine": ENGINES,
    "kernels": ENGINES,
    "reference": ("_engine.spec",),
    "ops": ("_program",),
    "graph": ("_engine.spec",),
    "support": (*ENGINES, "_base.model_file"),
}
"""Folders, and the private modules that their files may import. Tests of the repository may import all of them."""

FILES = {
    "conftest.py": (ENGINES, "chooses the engine and the number of threads"),
    "race.py": (("_core",), "is a data race in the engine"),
    "test_adapters.py": (("_data.adapters",), "goes through the table of adapters, none of which may be without a case"),
    "test_cli.py": (("_data.images",), "compares with the pixels that the command reads from a picture"),
    "test_cli_recipes.py": (("_data.deformations",), "looks at the deformed images, of which the command prints nothing"),
    "test_derived_gradients.py": (("_graph.derived",), "takes finite differences in float64, which no model computes in"),
    "test_diskreads.py": (("_data.adapters.memory_maps",), "can't make the machine's memory smaller than a file"),
    "test_forking.py": (("_base.naming", "_base.seeding"), "holds their locks while it forks"),
    "test_golden_ops.py": (("_program",), "differentiates single functions by any seed"),
    "test_images.py": (("_data.images",), "looks at pixels of which the command that reads pictures prints nothing"),
    "test_lowering.py": (("_graph.operation", "_graph.weights"), "makes a layer of operations that no public layer has in this order"),
    "test_progress.py": (("_base.progress",), "is about the line itself, which fit, downloads and sweeps draw"),
    "test_repeated_work.py": (("_graph.lowering", "_graph.weights"), "counts calls of functions that users can't see"),
    "test_table_encoder.py": (("_data.tables.constants",), "compares with the formulas, whose constants may be tuned"),
    "test_tables.py": (("_data.tables",), "looks at the matrix, of which a model shows only what becomes of it"),
    "test_state.py": (("_training.state",), "restores a state within a process; users do it through files"),
}
"""Files that import other private modules, and why."""

IMPORT = re.compile(r"from (fastmlp[\w.]*) import (\([^)]*\)|[^\n]*)")
NAME = re.compile(r"(?<!from )\bfastmlp(?:\.\w+)+")


def private_names(path):
    """The names in private modules that a file uses, in its code or in programs that it runs."""
    text = path.read_text(encoding="utf-8")
    names = {f"{module}.{name}" for module, imported in IMPORT.findall(text) for name in re.findall(r"\w+", imported)}
    names = {name.removeprefix("fastmlp.") for name in (*names, *NAME.findall(text))}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def is_allowed(name, modules):
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def test_only_tests_of_engines_and_kernels_know_private_modules():
    wrong, used = [], set()
    for path in sorted(TESTS.rglob("*.py")):
        allowed = FOLDERS.get(path.parent.name, ())
        for name in () if path.parent.name == "repository" else private_names(path):
            if is_allowed(name, allowed):
                continue
            if is_allowed(name, FILES.get(path.name, ((),))[0]):
                used.add(path.name)
            else:
                wrong.append(f"{path.relative_to(TESTS)} knows fastmlp.{name}")
    assert wrong == []
    assert used == FILES.keys(), "an exception that nothing needs any more"


def test_every_file_of_tests_has_its_own_name():
    """pytest finds them by folder and name, people by name."""
    counts = Counter(path.name for path in TESTS.rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in counts.items() if count > 1] == []

"""What CONTRIBUTING.md says of the files that a new thing is named in, counted for the things that are there.

Comments and docstrings do not count, nor does the word as a part of another one.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from folders import ROOT

from fastmlp import _core, layers, losses, metrics, optimizers
from fastmlp._base.naming import snake_case
from fastmlp._data.adapters import ADAPTERS
from fastmlp.metrics.loss_metrics import LossMetric

SUFFIXES = {".c", ".h", ".def", ".py", ".pyi", ".pyx", ".pxi", ".pxd"}

ROWS = {
    row[0]: (int(row[1]), set(re.findall(r"`([\w/.]+)`", row[2])))
    for row in re.findall(
        r"^\| ([a-z ]+) \| (\d+) \|(.*)\|$",
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Adding things")[2],
        re.MULTILINE,
    )
}
"""By kind: how many files name each thing, and which others name those that need it."""


def words(path: Path) -> set[str]:
    """The names in a file and, of Python, the strings; not those in comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".c", ".h", ".def"):
        return {path.stem, *re.findall(r"[A-Za-z_]\w*", re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL))}
    if path.suffix in (".pyx", ".pxi", ".pxd"):
        return set(re.findall(r"[A-Za-z_]\w*", re.sub(r'""".*?"""|#[^\n]*', " ", text, flags=re.DOTALL)))
    nodes = list(ast.walk(ast.parse(text)))
    documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            found.add(node.value)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.alias)):
            found.add(node.name)
    return found


WORDS = {
    path.relative_to(ROOT).as_posix(): words(path)
    for folder in ("src", "fastmlp")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in SUFFIXES
}

BEFORE = r"(?:_?fm_|FM_)?(?:[A-Z]+_)?(?:loss_|update_|replay_|runs_)?"
BEHIND = r"(?:_of_logits|_from_logits)?(?:_backward|_derivative|_gradient|_weighted_gradient)?"


def places(names: set[str]) -> set[str]:
    """The files that name a thing, with what C and the reference engine put around its name."""
    pattern = re.compile(f"{BEFORE}(?:{'|'.join(map(re.escape, sorted(names)))}){BEHIND}")
    return {path for path, there in WORDS.items() if any(pattern.fullmatch(word) for word in there)}


THINGS = {
    "activation": {name: {name} for name in (*_core.ACTIVATIONS, *_core.ROWWISE_ACTIVATIONS)},
    "loss": {name: {name, cls.kind, snake_case(name)} for name, cls in losses.registry.classes.items()},
    "optimizer": {name: {name, cls().rule().kind} for name, cls in optimizers.registry.classes.items()},
    "metric": {name: {name, snake_case(name)} for name, cls in metrics.registry.classes.items() if not issubclass(cls, LossMetric)},
    "layer": {name: {name} for name in layers.registry.classes},
    "kind of data": {adapter.__name__: {adapter.__name__} for adapter in ADAPTERS},
    "op": {name: {name} for name in ("average_pool", "maximum_pool")},
    "instruction set": {name: {name} for name in ("portable", "avx2", "avx512", "neon")},
}

KNOWN = {
    "activation": {
        **dict.fromkeys(("linear", "relu", "sigmoid", "tanh", "softmax"), "what other code begins with, fuses, or compares with"),
        **dict.fromkeys(("glu", "log_softmax", "sparsemax"), "ops, which look at whole rows"),
        "hard_sigmoid": "hard_silu is made of it",
        "exponential": "the output for counts in scikit-learn's estimators",
        "threshold": "also what other things call a limit",
    },
    "loss": {
        "GaussianNLL": "its predictions have twice as many columns as its targets",
        **dict.fromkeys(("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"), "fused with the activation"),
        "MeanSquaredError": "what a model without a loss takes its metrics to go with",
        "Poisson": "one of the losses of scikit-learn's estimators",
        **dict.fromkeys(("Dice", "Tversky", "Circle"), "one value for a whole batch"),
    },
    "optimizer": {
        **dict.fromkeys(
            ("SGD", "RMSprop", "Adam", "AdamW"), "what benchmarks and the command line begin with, and what other rules are made of"
        ),
        "Nadam": "has a number beside its slots",
        "Adafactor": "has slots of other shapes than the parameters",
        "Muon": "makes matrices orthogonal",
        "LBFGS": "no rule of the engines: it minimizes from above",
    },
    "metric": {
        **dict.fromkeys(("BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"), "computed by the engines, as losses are"),
        "R2Score": "also a function of scikit-learn",
        "Accuracy": "the name by which compile chooses among the others",
        **dict.fromkeys(("Precision", "Recall"), "also parts of curves"),
        "AUC": "also a score of tables on the command line",
    },
    "kind of data": {
        "ArrayAdapter": "what the others make of their data, and what choose_adapter looks for first",
        "SparseAdapter": "models with several inputs refuse it",
    },
    "layer": {
        **dict.fromkeys(("InputLayer", "Dense", "Activation", "ReLU", "Softmax", "Dropout"), "what models and other code begin with"),
        **dict.fromkeys(("Rescaling", "Normalization", "Flatten"), "what the command line prepares data with"),
        "GetItem": "slices of tensors",
        **dict.fromkeys(("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum"), "operations of tensors in Keras' files"),
        "Concatenate": "how models with several inputs begin",
        "Identity": "also an initializer",
        "TableEncoder": "what models read tables with",
        "IntegerLookup": "its vocabulary is a file of its own in Keras' files",
    },
}
"""What other code treats in a way of its own, and why."""


def counted(kind: str, names: set[str]) -> set[str]:
    """The files that name a thing, without those that the table has for some only; what an op's twin is called is not the layer."""
    found = places(names) - ROWS[kind][1]
    return {path for path in found if not path.startswith("fastmlp/reference/")} if kind == "layer" else found


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, things in THINGS.items() for name in things])
def test_as_many_files_name_a_thing_as_the_page_for_contributors_says(kind, name):
    if name in KNOWN.get(kind, {}):
        assert len(counted(kind, THINGS[kind][name])) != ROWS[kind][0], f"{name} is nothing special any more"
        return
    found = counted(kind, THINGS[kind][name])
    assert len(found) == ROWS[kind][0], sorted(found)


def test_the_page_speaks_of_every_kind_and_of_files_that_are_there():
    assert set(ROWS) == set(THINGS)
    for _, others in ROWS.values():
        assert all((ROOT / path).is_file() for path in others), others


def test_a_kind_that_is_not_known_by_name_is_the_rule():
    for kind in ("activation", "loss", "metric", "layer"):
        assert len(KNOWN[kind]) < len(THINGS[kind]) / 2, kind

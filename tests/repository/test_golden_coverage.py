"""Everything that can be named was compared with Keras: each class of each registry, and each argument with another value than its default.

The golden programs are built once on a :class:`recorder.Recorder`; the tests of the golden files replay every one of them.
"""

from __future__ import annotations

import inspect
from operator import attrgetter

import pytest
from folders import GOLDEN
from golden import (
    activation_programs,
    graph_programs,
    lookup_programs,
    loss_programs,
    metric_programs,
    optimizer_programs,
    programs,
    scripts,
    value_programs,
)
from golden import layers as layer_programs
from recorder import Recorder

import fastmlp
from fastmlp import _core, activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from fastmlp.errors import UnsupportedError
from fastmlp.optimizers import schedules

MODULES = {module.__name__.split(".")[-1]: module for module in (layers, losses, optimizers, schedules, initializers, regularizers)}
MODULES |= {"constraints": constraints, "metrics": metrics}
CLASSES = {f"{kind}.{name}": cls for kind, module in MODULES.items() for name, cls in module.registry.classes.items()}

NOT_NUMBERS = {"name", "dtype", "seed", "options"}
"""Arguments that change no number. (Keras' seeds give other draws.)"""

NONE_IN_KERAS = {
    **dict.fromkeys(("layers.GetItem", "layers.Divide"), "operators of tensors, compared with NumPy's in test_shapes.py"),
    "layers.PeriodicEmbedding": "compared with float64 in test_kernel_periodic.py",
    "layers.PiecewiseLinearEmbedding": "compared with its formula in test_engine_bins.py",
    "layers.PiecewiseLinearEncoding": "compared with its formula in test_engine_numbers.py",
    "layers.TableEncoder": "compared with its formulas in test_table_encoder.py",
    "losses.Quantile": "compared with PyTorch in test_golden_values.py",
    "losses.GaussianNLL": "compared with PyTorch in test_golden_values.py",
    "metrics.Huber": "the loss of this name is compared",
    "metrics.Quantile": "see the loss",
    "metrics.GaussianNLL": "see the loss",
    "metrics.BinaryFocalCrossentropy": "the loss of this name is compared",
    "metrics.CategoricalFocalCrossentropy": "the loss of this name is compared",
    "optimizers.LBFGS": "ends at known minima in test_optimizers.py",
    **dict.fromkeys(("optimizers.Adam(catch_up)", "optimizers.AdamW(catch_up)"), "compared with the exact steps in test_engine_sparse.py"),
    "losses.SparseCategoricalCrossentropy(axis)": "Keras on JAX takes the last axis alone; compared with moved axes in test_losses.py",
    "losses.SparseCategoricalCrossentropy(label_smoothing)": "compared with PyTorch in test_golden_values.py",
}
NOTHING_TO_COMPUTE = {
    "layers.InputLayer": "says what a row looks like",
    "layers.IntegerLookup(vocabulary_dtype)": "can be 'int64' alone",
}
# Argument: a value that Keras takes and fastmlp refuses.
REFUSED = {
    "layers.GlobalAveragePooling1D(data_format)": ({}, "channels_first"),
    "layers.GlobalMaxPooling1D(data_format)": ({}, "channels_first"),
    "layers.Dropout(noise_shape)": ({"rate": 0.5}, (3, 1)),
    "layers.AlphaDropout(noise_shape)": ({"rate": 0.5}, (3, 1)),
    "layers.Flatten(data_format)": ({}, "channels_first"),
    "layers.Softmax(axis)": ({}, 0),
    "layers.RMSNormalization(axis)": ({}, 0),
    "layers.BatchNormalization(axis)": ({}, 0),
    "layers.LayerNormalization(axis)": ({}, 0),
    "layers.CategoryEncoding(sparse)": ({"num_tokens": 3}, True),
    "layers.Discretization(sparse)": ({"bin_boundaries": [0.0]}, True),
    "layers.Hashing(sparse)": ({"num_bins": 3}, True),
    "layers.IntegerLookup(sparse)": ({"vocabulary": [3]}, True),
    "layers.Embedding(mask_zero)": ({"input_dim": 3, "output_dim": 2}, True),
    "metrics.SparseTopKCategoricalAccuracy(from_sorted_ids)": ({}, True),
}
ACTIVATIONS = [name for name in activations.__all__ if isinstance(getattr(activations, name), activations.Activation)]
ARGUMENTS_OF_ACTIVATIONS = {name: set(inspect.signature(maker).parameters) for name, maker in activations._MAKERS.items()}
ARGUMENTS_OF_ACTIVATIONS |= {name: {"axis"} for name in ("softmax", "log_softmax", "glu")}


@pytest.fixture(scope="module")
def seen() -> dict[str, set[str]]:
    """The arguments that golden programs give, by ``module.Class``."""
    found: dict[str, set[str]] = {}
    api = Recorder(fastmlp, found)
    for head in programs.HEADS:
        programs.network(api, "sgd", head, "relu")
    for make in (*layer_programs.NETWORKS.values(), *value_programs.MADE.values()):
        make(api)
    layer_programs.adapted(api)
    for make in lookup_programs.STACKS.values():
        make(api)
    for make, *_ in graph_programs.PROGRAMS.values():
        make(api)
    for case in optimizer_programs.cases().values():
        optimizer_programs.network(api, *case)
    for name in loss_programs.CASES:
        loss_programs.make(api, name)
        loss_programs.reduced(api, name)
    for name in loss_programs.BATCH_CASES:
        loss_programs.make_batch(api, name)
    for name in loss_programs.AXIS_CASES:
        loss_programs.make_axis(api, name)
    loss_programs.reduced_batch(api, "circle")
    for name in loss_programs.METRICS:
        loss_programs.metric(api, name)
    for name, options, _ in metric_programs.CASES:
        api.metrics.note(name, **options)
    tables = {
        "optimizers.schedules": [
            *scripts.SCHEDULES.values(),
            *(("OneCycle", {"max_learning_rate": 0.5, **one}) for one in scripts.ONE_CYCLES.values()),
        ],
        "layers": [*activation_programs.LAYERS.values(), *value_programs.NOISES.values()],
        "initializers": value_programs.INITIALIZERS.values(),
        "regularizers": value_programs.REGULARIZERS.values(),
        "constraints": value_programs.CONSTRAINTS.values(),
        "activations": [*activation_programs.FUNCTIONS.values(), *value_programs.AXES],
    }
    for module, rows in tables.items():
        for name, options in rows:
            attrgetter(module)(api).note(name, **options)
    return found


COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def excused(what: str) -> bool:
    return any(what in table or what.split("(")[0] in table for table in (NONE_IN_KERAS, NOTHING_TO_COMPUTE)) or what in REFUSED


def arguments_of(name: str) -> list[str]:
    """The constructor's arguments that may change numbers; with those that all optimizers share."""
    found = [one for one, parameter in inspect.signature(CLASSES[name]).parameters.items() if parameter.kind not in COLLECTING]
    if name.startswith("optimizers."):
        found += inspect.signature(optimizers.Optimizer).parameters
    return [argument for argument in dict.fromkeys(found) if argument not in NOT_NUMBERS]


def test_every_class_was_compared_with_keras(seen):
    assert [name for name in CLASSES if name not in seen and not excused(name)] == []


def test_every_argument_was_compared_with_keras(seen):
    wanted = [(name, argument) for name in CLASSES for argument in arguments_of(name)]
    lost = [f"{name}({argument})" for name, argument in wanted if argument not in seen.get(name, ())]
    assert [what for what in lost if not excused(what)] == []


def test_every_activation_and_each_of_its_arguments_was_compared_with_keras(seen):
    assert [name for name in ACTIVATIONS if f"activations.{name}" not in seen] == []
    for name, wanted in ARGUMENTS_OF_ACTIVATIONS.items():
        assert wanted <= seen[f"activations.{name}"], name


@pytest.mark.parametrize("what", REFUSED)
def test_arguments_that_are_never_compared_are_refused(what):
    name, argument = what.removesuffix(")").split("(")
    options, value = REFUSED[what]
    with pytest.raises(UnsupportedError, match=f"{argument}.* is not in fastmlp"):
        model_of(CLASSES[name](**options, **{argument: value}))


def model_of(made):
    """Built, since only then some arguments can be judged."""
    if isinstance(made, layers.Layer):
        fastmlp.Sequential([layers.Input((4,)), made])


def test_no_excuse_is_stale(seen):
    for what in (*NONE_IN_KERAS, *NOTHING_TO_COMPUTE, *REFUSED):
        name, _, argument = what.removesuffix(")").partition("(")
        assert name in CLASSES, what
        if argument:
            assert argument in arguments_of(name), what
            assert argument not in seen[name], what
        else:
            assert name not in seen, what


def test_golden_files_have_the_script_that_made_them():
    scripts_of = {name: script for script in GOLDEN.glob("make_*.py") for name in (script.read_text(encoding="utf-8"),)}
    files = [*GOLDEN.glob("*.npz"), *GOLDEN.glob("*.json")]
    assert len(files) >= 10
    assert [file.name for file in files if not any(file.name in text for text in scripts_of)] == []


def test_every_activation_of_the_engine_is_compared_with_keras():
    kinds = {
        activations.make(name, **options).kind if options else getattr(activations, name).kind
        for name, options in activation_programs.FUNCTIONS.values()
    }
    assert kinds == {*_core.ACTIVATIONS, *_core.ROWWISE_ACTIVATIONS}

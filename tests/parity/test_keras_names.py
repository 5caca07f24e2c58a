"""Every public name of Keras is here, or says what to use instead."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from importlib import import_module

import numpy as np
import pytest
from folders import GOLDEN

import fastmlp
from fastmlp import activations, layers, models
from fastmlp.errors import UnsupportedError

NAMES = json.loads((GOLDEN / "keras_names.json").read_text())
MODULES = sorted(set(NAMES) - {"keras", "modules", "Model", "Layer"})


def module_of(path):
    return import_module(f"fastmlp.{path}".rstrip("."))


def without_an_answer(owner, names):
    lost = []
    for name in names:
        try:
            value = getattr(owner, name)
            if callable(value) and "is not in fastmlp" in repr(value):
                value()
        except UnsupportedError as error:
            if "not in fastmlp; " not in str(error):
                lost.append(name)
        except AttributeError:
            lost.append(name)
    return lost


@pytest.mark.parametrize("path", MODULES)
def test_every_name_of_keras_modules_works_or_names_the_nearest_alternative(path):
    assert without_an_answer(module_of(path), NAMES[path]) == []


def test_every_attribute_of_keras_models_and_layers_works_or_names_the_nearest_alternative():
    model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    model.compile(loss="mse")
    assert without_an_answer(model, NAMES["Model"]) == []
    assert without_an_answer(model.layers[0], NAMES["Layer"]) == []


def test_what_is_not_here_can_be_imported_and_says_what_to_do_when_it_is_used():
    from fastmlp.layers import Conv2D

    with pytest.raises(UnsupportedError, match=r"layers\.Conv2D is not in fastmlp; all networks are of Dense layers; put a Flatten\(\)"):
        Conv2D(32, 3)
    with pytest.raises(UnsupportedError, match=r"layers\.Conv2D is not in fastmlp"):

        class Own(Conv2D):
            pass

    with pytest.raises(UnsupportedError, match=r"layers\.LSTM\.from_config is not in fastmlp"):
        layers.LSTM.from_config({})
    with pytest.raises(UnsupportedError, match=r"ops\.conv is not in fastmlp; .* compute with NumPy"):
        fastmlp.ops.conv(1, 2)


@pytest.mark.parametrize("use", [iter, len, lambda absent: absent[0], lambda absent: absent.__enter__(), np.asarray])
def test_no_use_of_what_is_not_here_goes_unanswered(use):
    with pytest.raises(UnsupportedError, match=r"layers\.Conv2D is not in fastmlp"):
        use(layers.Conv2D)


def test_nothing_is_an_instance_of_what_is_not_here():
    assert not isinstance(layers.Dense(2), (layers.Conv2D, layers.LSTM))
    assert not issubclass(layers.Dense, layers.Conv2D)
    assert isinstance(layers.Dense(2), (layers.Conv2D, layers.Dense))


def test_what_is_not_here_can_be_copied_and_pickled():
    for other in (copy.deepcopy(layers.Conv2D), pickle.loads(pickle.dumps(layers.Conv2D))):
        assert repr(other) == repr(layers.Conv2D)


@pytest.mark.parametrize("path", [path for path in NAMES["modules"] if not path.startswith("utils.")])  # utils is one file here
def test_every_module_of_keras_can_be_imported(path):
    import_module(f"fastmlp.{path}")


def test_modules_of_keras_that_are_not_here_answer_when_something_in_them_is_used():
    import fastmlp.applications.vgg16
    from fastmlp.datasets import cifar10
    from fastmlp.preprocessing.image import ImageDataGenerator

    with pytest.raises(UnsupportedError, match=r"applications\.vgg16\.VGG16 is not in fastmlp; .* compute features"):
        fastmlp.applications.vgg16.VGG16()
    with pytest.raises(UnsupportedError, match=r"preprocessing\.image\.ImageDataGenerator is not in fastmlp; "):
        ImageDataGenerator(rescale=1 / 255)
    with pytest.raises(UnsupportedError, match=r"datasets\.cifar10\.load_data is not in fastmlp; "):
        cifar10.load_data()


def test_modules_of_older_versions_of_keras_name_where_their_names_are_now():
    with pytest.raises(ModuleNotFoundError, match=r"layers\.core is a module of Keras before version 3; import from fastmlp\.layers"):
        import_module("fastmlp.layers.core")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'fastmlp\.nothing'"):
        import_module("fastmlp.nothing")


def test_programs_that_ask_with_hasattr_are_told_the_truth():
    model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    assert not hasattr(model, "train_step")
    assert not hasattr(model.layers[0], "add_loss")
    assert hasattr(model, "fit")
    assert not hasattr(layers, "Convolve")
    assert getattr(layers, "Convolve", None) is None
    assert getattr(layers, "Conv2D", None) is not None  # it can be imported


@pytest.mark.parametrize("path", MODULES)
def test_names_nobody_has_are_plain_attribute_errors(path):
    with pytest.raises(AttributeError, match="has no attribute 'convolve_everything'"):
        _ = module_of(path).convolve_everything


# Arguments

ARGUMENTS = json.loads((GOLDEN / "keras_arguments.json").read_text())
REQUIRED = "<required>"

DIFFERENCES = {
    "activations.*": "an activation is an object whose arguments are checked when it is called",
    "*.serialize": "what is described comes first, whatever it is called",
    "callbacks.CallbackList": "fit makes it, and has verbose= for the progress bar",
}
"""Where the names of arguments differ from Keras', and why."""

VALUES = {
    "layers.Activation": {"activation": "relu"},
    "layers.concatenate": {"inputs": [layers.Input((3,)), layers.Input((3,))]},
    "layers.CategoryEncoding": {"num_tokens": 3},
    "layers.Discretization": {"num_bins": 3},
    "layers.Hashing": {"num_bins": 3},
    "layers.Dense": {"units": 2},
    "layers.Dropout": {"rate": 0.5},
    "layers.AlphaDropout": {"rate": 0.5},
    "layers.GaussianDropout": {"rate": 0.5},
    "layers.GaussianNoise": {"stddev": 0.5},
    "layers.Embedding": {"input_dim": 3, "output_dim": 2},
    "layers.Input": {"shape": (3,)},
    "layers.InputLayer": {"shape": (3,)},
    "layers.Rescaling": {"scale": 2.0},
    "layers.Reshape": {"target_shape": (3,)},
    "metrics.MeanMetricWrapper": {"fn": lambda y, p: y},
    "optimizers.Optimizer": {"learning_rate": 0.1},
}
"""What constructors need to be called at all."""


def arguments_of_both():
    """For each object of Keras that is in fastmlp: its path, the object here, and the arguments in Keras."""
    for path, wanted in ARGUMENTS.items():
        if path == "keras":
            continue
        place, _, name = path.rpartition(".")
        owner = fastmlp
        for step in place.split("."):
            owner = getattr(owner, step)
        if place in ("Model", "Sequential"):
            owner = models.Sequential([layers.Dense(2, input_shape=(3,))])
        try:
            own = getattr(owner, name, None)
        except UnsupportedError:
            continue
        if callable(own) and "not in fastmlp" not in repr(own):
            yield path, own, wanted


CHECKED = {path: (own, wanted) for path, own, wanted in arguments_of_both()}


def is_listed(path):
    return path in DIFFERENCES or f"{path.partition('.')[0]}.*" in DIFFERENCES or f"*.{path.rpartition('.')[2]}" in DIFFERENCES


def answers(path, own, name, default):
    """Whether a call with the argument that is not in the signature works, or is told what to do instead."""
    needed = VALUES.get(path, {})
    if default != REQUIRED:
        own(**needed, **{name: default})
    try:
        own(**needed, **{name: object()})
    except UnsupportedError as error:
        return any(advice in str(error) for advice in ("not in fastmlp; ", "omit", "remove"))
    except (TypeError, ValueError) as error:
        return "has no argument" not in str(error) and "unexpected keyword" not in str(error)
    return True


def test_enough_of_keras_is_compared():
    assert len(CHECKED) > 250
    assert {"Model.fit", "layers.Dense", "optimizers.Adam", "callbacks.EarlyStopping", "saving.load_model"} <= set(CHECKED)


@pytest.mark.parametrize("path", [path for path in CHECKED if not is_listed(path)])
def test_every_argument_of_keras_works_or_names_the_nearest_alternative(path):
    own, wanted = CHECKED[path]
    here = inspect.signature(own).parameters
    any_name = any(one.kind is one.VAR_KEYWORD for one in here.values())
    missing = [name for name in wanted if name not in here and not (any_name and answers(path, own, name, wanted[name]))]
    assert missing == []


ORDERED = sorted(set(CHECKED) - {"losses.Loss", "metrics.Metric"})  # whose base classes are given names by keyword


@pytest.mark.parametrize("path", [path for path in ORDERED if not is_listed(path)])
def test_arguments_that_programs_give_by_position_are_in_the_order_of_keras(path):
    own, wanted = CHECKED[path]
    positional = [one.name for one in inspect.signature(own).parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
    both = [name for name in wanted if name in positional][:3]
    assert [name for name in positional if name in both] == both


def test_activations_take_the_arguments_of_keras():
    for name, wanted in (
        (path.removeprefix("activations."), wanted) for path, wanted in ARGUMENTS.items() if path.startswith("activations.")
    ):
        own = getattr(activations, name, None)
        if isinstance(own, activations.Activation):
            own(np.ones((1, 2)), **{key: 0.5 if value == REQUIRED else value for key, value in list(wanted.items())[1:]})

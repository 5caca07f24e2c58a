"""Saves a model to one file and loads it again: layers, weights, what it was compiled for, and where its training stands.

The tensors are named as in the plan, ``dense/kernel`` and ``dense/bias``, and ``optimizer/momentum/dense/kernel`` for the optimizer's
state. The document beside them (how it is stored, :mod:`fastmlp.modelfile` tells) is

    format            "fastmlp"
    version           1, or 2 for functional models; a file with a higher one is refused
    fastmlp_version   what wrote it
    created           when, UTC
    kind              "sequential" or "functional"
    model             Model.get_config(): classes come from a fixed list, nothing is imported by name
    compile           Model.get_compile_config(), or null
    training          Model.training_state(): iterations, epochs, seed
    slots             names of the optimizer's state, [] without it
    non_finite        tensors that held NaN or Inf when they were saved
    provenance        what the one who saved wanted to be remembered

It is JSON: a file cannot run code.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import modelfile
from fastmlp.model import Model
from fastmlp.modelfile import ModelFile

__all__ = ["describe", "load_model", "save_model"]

_VERSION = 2
_KINDS = {"sequential": 1, "functional": 2}
"""What a file may hold, and since which version."""
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "fastmlp_version": str,
    "created": str,
    "kind": str,
    "model": dict,
    "compile": (dict, type(None)),
    "training": dict,
    "slots": list,
    "non_finite": list,
    "provenance": dict,
}
_LAYER_LIMIT = 4096
_SPARE_WIDTH = 1 << 20


def save_model(
    model: Model,
    path: str | os.PathLike[str],
    include_optimizer: bool = True,
    overwrite: bool = True,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model to a safetensors file; ``model.save(path)`` does the same.

    The file is complete or not there: it gets its name when all of it is on the disk.

    Args:
        model: A built model, compiled or not.
        path: Where to; the name must end in ``.safetensors``.
        include_optimizer: Whether to save the optimizer's state too, so that training can go on as if it had not stopped. The file is then
            up to three times as large.
        overwrite: Whether a file that is there may be replaced.
        provenance: JSON values to keep with the model: where the data came from, how they were prepared, how good it is.

    Raises:
        ValueError: The model is not built, or the name does not end in ``.safetensors``.
        FileExistsError: There is a file, and ``overwrite`` is false.
        OSError: The folder is missing or can't be written, the disk is full, …

    Example:
        >>> import fastmlp
        >>> from fastmlp import layers, saving
        >>> model = fastmlp.Sequential([layers.Dense(3, input_shape=(2,))])
        >>> saving.save_model(model, "model.safetensors", provenance={"data": "none yet"})
    """
    if not isinstance(model, Model):
        raise TypeError(f"save_model takes a model, got {model!r:.80}")
    from fastmlp.models import Sequential

    target = modelfile.check_target(path, overwrite)
    if model.plan is None:
        raise ValueError("the model is not built, so it has no weights to save; begin it with Input(shape=...), or call build or fit first")
    names = [parameter.name for parameter in model.plan.parameters]
    with _standing_still(model):
        tensors = dict(zip(names, model.get_weights(), strict=True))
        state = (model._optimizer_state() if include_optimizer else None) or {"iterations": 0, "slots": {}}
        slots = list(state["slots"]) if state["iterations"] else []  # before the first update they are zero
        for slot in slots:
            tensors |= {_slot_tensor(slot, name): value for name, value in zip(names, state["slots"][slot], strict=True)}
        document = {
            "format": "fastmlp",
            "version": 1 if isinstance(model, Sequential) else _VERSION,
            "fastmlp_version": _library_version(),
            "created": _now(),
            "kind": "sequential" if isinstance(model, Sequential) else "functional",
            "model": model.get_config(),
            "compile": model.get_compile_config(),
            "training": model.training_state() | {"iterations": state["iterations"]},
            "slots": slots,
            "non_finite": [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()],
            "provenance": dict(provenance or {}),
        }
    modelfile.write(target, document, tensors)


def load_model(path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, compile: bool = True) -> Model:
    """Makes the model that was saved in a file.

    Nothing in the file is trusted: every size is checked against the size of the file before memory is taken, every bit against the
    checksums, and no code is ever run.

    Args:
        path: The file.
        custom_objects: Accepted for Keras' sake. A file of fastmlp names fastmlp's own classes only, so there is nothing to look up here.
        compile: Whether to compile the model as it was, with the optimizer's state. Without it the model can predict, or be compiled anew.

    Returns:
        A model that predicts, evaluates and continues training exactly as the saved one would have.

    Raises:
        FileNotFoundError: There is no such file.
        ModelFileError: The file is damaged, foreign, hostile, or written by a newer fastmlp. The message names the file and the reason.

    Example:
        >>> import fastmlp
        >>> from fastmlp import layers
        >>> fastmlp.Sequential([layers.Dense(3, input_shape=(2,))]).save("model.safetensors")
        >>> fastmlp.load_model("model.safetensors").count_params()
        9
    """
    with ModelFile(path) as file:
        document = _checked_document(file)
        model = _described_model(file, document)
        assert model.plan is not None
        names = [parameter.name for parameter in model.plan.parameters]
        slots = document["slots"] if compile and document["compile"] is not None else []
        tensors = file.read({*names, *(_slot_tensor(slot, name) for slot in slots for name in names)})
        _check_finite(file, tensors, document["non_finite"])
        for weight, name in zip(model._weights, names, strict=True):
            weight.assign(tensors[name])
        with _blaming(file, "its compile configuration or training state"):
            training = dict(document["training"])
            if compile and document["compile"] is not None:
                model.compile_from_config(document["compile"])
            else:
                training["iterations"] = 0
            if slots:
                expected = model._configured_network().slot_names
                if tuple(slots) != expected:
                    raise ValueError(f"the optimizer's state should be {', '.join(expected) or 'empty'}, got {', '.join(slots)}")
                state = {slot: [tensors[_slot_tensor(slot, name)] for name in names] for slot in slots}
                model._restore_optimizer_state({"iterations": 0, "slots": state})
            model.restore_training_state(training)
        return model


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The document of a saved model, without its tensors; only the beginning of the file is read.

    Raises:
        FileNotFoundError: There is no such file.
        ModelFileError: The file is damaged, foreign, hostile, or written by a newer fastmlp.

    Example:
        >>> import fastmlp
        >>> from fastmlp import layers, saving
        >>> model = fastmlp.Sequential([layers.Dense(3, input_shape=(2,))])
        >>> saving.save_model(model, "model.safetensors", provenance={"author": "me"})
        >>> saving.describe("model.safetensors")["provenance"]
        {'author': 'me'}
    """
    with ModelFile(path) as file:
        return _checked_document(file)


def _standing_still(model: Model) -> AbstractContextManager[None]:
    """Keeps other threads from training the model while it is read; a callback may save the model that calls it."""
    return nullcontext() if model._is_training_here() else model._exclusively("save")


def _slot_tensor(slot: str, parameter: str) -> str:
    return f"optimizer/{slot}/{parameter}"


def _library_version() -> str:
    import fastmlp

    return fastmlp.__version__


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _checked_document(file: ModelFile) -> dict[str, Any]:
    """The document, if its fields are there and of the right type."""
    document = file.document
    version = document.get("version")
    if document.get("format") != "fastmlp" or type(version) is not int:
        raise file.fail("it is a safetensors file, but not of a model saved by fastmlp")
    if version > _VERSION:
        raise file.fail(
            f"it was written by a newer fastmlp ({document.get('fastmlp_version')!r:.40}, file version {version}; this one reads up to "
            f"{_VERSION}): upgrade with pip install --upgrade fastmlp"
        )
    for field, kind in _FIELDS.items():
        if not isinstance(document.get(field, ...), kind):
            raise file.fail(f"its document has no valid {field!r}")
    if version < _KINDS.get(document["kind"], _VERSION + 1):
        raise file.fail(f"it holds a model of the unknown kind {document['kind']!r:.40}, version {version}")
    for field in ("slots", "non_finite"):
        if not all(isinstance(name, str) for name in document[field]):
            raise file.fail(f"its document has no valid {field!r}")
    return document


def _described_model(file: ModelFile, document: Mapping[str, Any]) -> Model:
    """The model, still without memory for its weights, if the tensors in the file are exactly those it needs."""
    from fastmlp.models import Functional, Sequential

    layers = document["model"].get("layers")
    if isinstance(layers, list) and len(layers) > _LAYER_LIMIT:
        raise file.fail(f"its model has {len(layers)} layers; the limit is {_LAYER_LIMIT}")
    with _blaming(file, "its model configuration"):
        model = (Sequential if document["kind"] == "sequential" else Functional).from_config(document["model"])
    if model.plan is None:
        raise file.fail("its model configuration has no input shape")
    wanted = {parameter.name: parameter.shape for parameter in model.plan.parameters}
    for slot in document["slots"]:
        wanted |= {_slot_tensor(slot, parameter.name): parameter.shape for parameter in model.plan.parameters}
    for name, shape in wanted.items():
        if name not in file.shapes:
            raise file.fail(f"its model needs the tensor {name!r:.80}, which is not there")
        if file.shapes[name] != shape:
            raise file.fail(f"its model needs the tensor {name!r:.80} with shape {shape}, but there it has {file.shapes[name]}")
    if spare := file.shapes.keys() - wanted.keys():
        raise file.fail(f"it has a tensor {min(spare)!r:.80} that its model does not use")
    # Layers without weights have widths that no tensor vouches for.
    if sum(model.plan.widths) > _SPARE_WIDTH + 16 * sum(int(np.prod(shape)) for shape in file.shapes.values()):
        raise file.fail(f"its model has layers of {max(model.plan.widths)} outputs, out of proportion to the weights in the file")
    return model


def _check_finite(file: ModelFile, tensors: Mapping[str, NDArray[np.float32]], declared: list[str]) -> None:
    broken = [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]
    for name in broken:
        if name not in declared:
            raise file.fail(f"the tensor {name!r:.80} holds NaN or Inf, but had none when it was saved")
    if broken:
        warnings.warn(f"{os.fspath(file.path)}: {', '.join(broken)} held NaN or Inf when it was saved", UserWarning, stacklevel=3)


@contextmanager
def _blaming(file: ModelFile, part: str) -> Iterator[None]:
    """Turns what the rest of the package says about malformed values into an error about the file."""
    try:
        yield
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise file.fail(f"{part} is not valid: {error}") from error

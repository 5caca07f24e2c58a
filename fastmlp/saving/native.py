"""Saving a model to one file and loading it: layers, weights, compile arguments and training state.

The suffix of the name chooses the format to write: ``.safetensors`` is fastmlp's own, described here; ``.keras``, ``.h5`` and
``.weights.h5`` are Keras' (:mod:`fastmlp.saving.formats`). The format to read follows from the file's first bytes.

Tensors have the names of the plan, ``dense/kernel`` and ``dense/bias``, and ``optimizer/momentum/dense/kernel`` for the optimizer's
slots. The document beside them (stored as :mod:`fastmlp._base.model_file` describes) is

    format            "fastmlp"
    version           1, or 2 for functional models; files with a higher version are refused
    fastmlp_version   version of fastmlp that wrote the file
    created           time, UTC
    kind              "sequential" or "functional"
    model             Model.get_config(); classes are from a fixed list, nothing is imported by name
    compile           Model.get_compile_config(), or null
    training          Model.training_state(): iterations, epochs, seed
    slots             names of the optimizer's slots, [] without them
    non_finite        names of tensors that held NaN or Inf when they were saved
    provenance        the argument of save_model
    columns           names of features and targets, {"x": ["age", "height"]}; missing in older files
    class_names       Model.class_names; missing in older files

It is JSON: a file cannot run code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp.saving.contents as contents
from fastmlp._base import checks, keywords, model_file
from fastmlp._base import custom_objects as custom
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.custom_objects import custom_object_scope
from fastmlp._base.files import (
    MODEL_SUFFIXES,
    WEIGHTS_SUFFIX,
    InMemory,
    ModelSource,
    ModelTarget,
    blaming,
    ending,
    open_regular,
    reading_from,
    writing_to,
)
from fastmlp._base.model_file import ModelFile
from fastmlp._models.functional import Functional
from fastmlp._models.model import Model
from fastmlp._models.sequential import Sequential
from fastmlp._models.storage import provide
from fastmlp._training.state import TensorNames, TrainingState
from fastmlp.errors import ModelFileError
from fastmlp.saving.contents import Contents

__all__ = ["describe", "load_model", "load_weights", "model_from_json", "save_model", "save_weights"]

_VERSION = 2
_KINDS = {"sequential": 1, "functional": 2}
"""The kinds of models, with the version that introduced each."""
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


@keywords.answering
def save_model(
    model: Model,
    filepath: ModelTarget,
    overwrite: bool = True,
    zipped: bool | None = None,
    *,
    include_optimizer: bool = True,
    save_format: str | None = None,
    provenance: Mapping[str, object] | None = None,
) -> None:
    """Save a model to a file; ``model.save(path)`` does the same.

    The file is written atomically: under a temporary name, and renamed when it is complete and on the disk.

    Args:
        model: A built model, compiled or not.
        filepath: Path whose suffix chooses the format: ``.safetensors``, or Keras' ``.keras`` and ``.h5``, which need h5py. Or a binary
            file that is open for writing, such as an ``io.BytesIO()``.
        overwrite: Whether an existing file may be replaced.
        zipped: Accepted for compatibility with Keras; a model is always one file.
        include_optimizer: Whether to save the optimizer's state too, so that training can be resumed as if it had not stopped. The file is
            then up to three times as large.
        save_format: ``"safetensors"``, ``"keras"`` or ``"h5"``, for a file without a name; by default its suffix, or ``"safetensors"``.
        provenance: JSON values to store with the model: where the data came from, how they were prepared, how accurate the model is.

    Raises:
        ValueError: The model is not built, or the suffix is none of these.
        FileExistsError: The file exists, and ``overwrite`` is false.
        OSError: The folder does not exist or is not writable, the disk is full, …

    Example:
        >>> import fastmlp
        >>> from fastmlp import layers, saving
        >>> model = fastmlp.Sequential([layers.Dense(3, input_shape=(2,))])
        >>> saving.save_model(model, "model.safetensors", provenance={"data": "none yet"})
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a fastmlp model, got {model!r:.80}")
    checks.reject_unknown("save", {"zipped": True if zipped is False else None}, {"zipped": "a model is one file, not a folder"})
    include_optimizer = checks.check_bool("include_optimizer", include_optimizer)
    with writing_to(filepath, overwrite, MODEL_SUFFIXES, save_format) as target, custom.collecting() as found:
        _save(model, target, include_optimizer, provenance or {})
    if names := custom.to_warn_of(found):
        checks.warn(
            f"{filepath} does not hold {', '.join(names)}, because files hold no Python code; load it with "
            f"custom_objects={{{', '.join(f'{name!r}: ...' for name in names)}}}"
        )


def _save(model: Model, target: Path, include_optimizer: bool, provenance: Mapping[str, object]) -> None:
    suffix = ending(target, MODEL_SUFFIXES)
    if suffix != ".safetensors":
        _keras_format(suffix == ".keras").save(model, target, include_optimizer, provenance)
        return
    held = Contents.of(model, include_optimizer)
    tensors = held.state.tensors(_tensor_names(model))
    document = {
        "format": "fastmlp",
        "version": _KINDS[held.kind],
        "fastmlp_version": _library_version(),
        "created": _now(),
        "kind": held.kind,
        "model": held.config,
        "compile": held.compile,
        "training": held.state.counters,
        "slots": list(held.state.slots),
        "non_finite": [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()],
        "provenance": dict(provenance),
        "columns": held.columns,
        "class_names": held.class_names,
    }
    model_file.write(target, document, tensors)


def save_weights(model: Model, filepath: ModelTarget, overwrite: bool = True, max_shard_size: float | None = None) -> None:
    """Save a model's weights and its optimizer's state to a ``.weights.h5`` file; ``model.save_weights(path)`` does the same.

    With the suffix ``.safetensors`` the whole model is saved, whose weights :func:`load_weights` reads too.

    Args:
        model: A built model.
        filepath: Path, or a binary file that is open for writing.
        overwrite: Whether an existing file may be replaced.
        max_shard_size: None; weights are always one file.
    """
    checks.reject_unknown("save_weights", {"max_shard_size": max_shard_size}, {"max_shard_size": "weights are one file, of any size"})
    with writing_to(filepath, overwrite, (WEIGHTS_SUFFIX, ".safetensors")) as target:
        if target.name.lower().endswith(".safetensors"):
            _save(model, target, True, {})
        else:
            _keras_format(zipped=True).save_weights(model, target)


def load_weights(model: Model, filepath: ModelSource, skip_mismatch: bool = False) -> None:
    """Load the weights in a file into a built model; ``model.load_weights(path)`` does the same.

    Args:
        model: A model with the same layers, in the same order, as the one that was saved.
        filepath: A ``.weights.h5`` file, or a whole model in any format: a path, the content as bytes, or an open binary file.
        skip_mismatch: Whether layers whose weights have other shapes keep theirs, with a warning, instead of an error.

    Raises:
        FileNotFoundError: The file does not exist.
        ModelFileError: The file is damaged, foreign or hostile, or does not fit the model, which then keeps all its weights.
    """
    if not model.built:
        raise ValueError("the model is not built, so it can't take weights; begin it with Input(shape=...), or call build first")
    path = reading_from(filepath)
    kind = _format(path)
    if kind is None:
        with custom.collecting() as found:  # the custom objects of the file are those of the model
            model.get_config()
        with custom.loading(found):
            _load_tensors(model, path, skip_mismatch)
    else:
        kind.load_weights(model, path, skip_mismatch)


@keywords.answering
def load_model(
    filepath: ModelSource, custom_objects: Mapping[str, object] | None = None, compile: bool = True, safe_mode: bool = True
) -> Model:
    """Load a model from a file.

    Nothing in the file is trusted: every size is checked against the size of the file before memory is allocated, every bit against the
    checksums, and no code is ever run.

    Args:
        filepath: A ``.safetensors`` file of fastmlp, or a ``.keras`` or ``.h5`` file of fastmlp or Keras, which needs h5py: a path, the
            content as bytes, or an open binary file.
        custom_objects: Your own Python code that the file refers to by name, ``{"mine": mine}``: losses, metrics, activations (value,
            derivative), subclasses of fastmlp's classes, …
        compile: Whether to compile the model as it was, with the optimizer's state; otherwise it can predict, or be compiled anew.
        safe_mode: Accepted for compatibility with Keras; no code in a file is ever run.

    Returns:
        A model that predicts, evaluates and continues training exactly as the saved one.

    Raises:
        FileNotFoundError: The file does not exist.
        ModelFileError: The file is damaged, foreign, hostile, or written by a newer fastmlp. The message names the file and the reason.

    Example:
        >>> import fastmlp
        >>> from fastmlp import layers
        >>> fastmlp.Sequential([layers.Dense(3, input_shape=(2,))]).save("model.safetensors")
        >>> fastmlp.load_model("model.safetensors").count_params()
        9
    """
    path = reading_from(filepath)
    if Path(path).name.lower().endswith(WEIGHTS_SUFFIX):
        raise ModelFileError(path, "it holds weights only: build the model, then call model.load_weights")
    with custom.loading(custom_objects):
        return _load(path, compile)


def _load(path: str | os.PathLike[str], compile: bool) -> Model:
    kind = _format(path)
    if kind is not None:
        loaded: Model = kind.load(path, compile)
        return loaded
    with ModelFile(path) as file:
        document = _checked_document(file)
        model = _described_model(file, document)
        compiled = document["compile"] if compile else None
        names = _tensor_names(model)
        training = {name: document[name] for name in ("training", "slots")}
        if compiled is None:
            training = {"training": {**document["training"], "iterations": 0}, "slots": []}
        tensors = file.read({*names.weights, *(name for slot in training["slots"] for name in names.of_slot(slot))})
        _check_finite(file, tensors, document["non_finite"])
        contents.name(path, model, document)
        contents.warn_of_non_finite(path, {name: tensors[name] for name in names.weights})
        with blaming(path, "its compile configuration or training state"):
            if compiled is not None:
                model.compile_from_config(compiled)
            TrainingState.read(names, training, tensors).restore(model)
        return model


def model_from_json(json_string: str | bytes | bytearray, custom_objects: Mapping[str, object] | None = None) -> Model:
    """Build the model that :meth:`fastmlp.Model.to_json` described, or Keras'; it has new weights and is not compiled.

    Args:
        json_string: The JSON.
        custom_objects: Your own classes and functions, by the names in the JSON.

    Raises:
        UnsupportedError: It has layers that are not in fastmlp.
        TypeError: ``json_string`` is not a string.
        ValueError: It is malformed.

    Example:
        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(3, input_shape=(2,))])
        >>> models.model_from_json(model.to_json()).count_params()
        9
    """
    from fastmlp.saving.formats import kerasconfig

    if not isinstance(json_string, (str, bytes, bytearray)):
        raise TypeError(f"json_string must be a string that model.to_json() returned, got {json_string!r:.80}")
    try:
        described = json.loads(json_string)
    except ValueError as error:
        raise ValueError(f"json_string is not JSON, as model.to_json() returns it: {error}") from error
    with custom_object_scope(dict(custom_objects or {})):
        kind, config = kerasconfig.read_model(described)
        return (Sequential if kind == "sequential" else Functional).from_config(config)


def describe(path: ModelSource) -> dict[str, Any]:
    """Read the document of a saved model, without its tensors; for Keras' formats, the part of it that they contain.

    Raises:
        FileNotFoundError: The file does not exist.
        ModelFileError: The file is damaged, foreign, hostile, or written by a newer fastmlp.

    Example:
        >>> import fastmlp
        >>> from fastmlp import layers, saving
        >>> model = fastmlp.Sequential([layers.Dense(3, input_shape=(2,))])
        >>> saving.save_model(model, "model.safetensors", provenance={"author": "me"})
        >>> saving.describe("model.safetensors")["provenance"]
        {'author': 'me'}
    """
    path = reading_from(path)
    kind = _format(path)
    if kind is not None:
        described: dict[str, Any] = kind.describe(path)
        return described
    with ModelFile(path) as file:
        return _checked_document(file)


def _format(path: str | os.PathLike[str]) -> ModuleType | None:
    """The module of the Keras format that a file has by its first bytes; None for safetensors and everything else."""
    with open_regular(path) as file:
        begin = file.read(4)
    zipped, hdf5 = begin == b"PK\x03\x04", begin == b"\x89HDF"
    name = Path(path).name.lower()
    if hdf5 and isinstance(path, InMemory) and not name.endswith(".h5"):
        return _keras_format(b"layer_names" not in path.data)  # which Keras 2 writes
    if zipped or hdf5:
        return _keras_format(zipped or name.endswith(WEIGHTS_SUFFIX))
    if begin and name.endswith((".keras", ".h5", ".hdf5")):
        raise ModelFileError(path, "it is neither a zip file, as .keras files are, nor an HDF5 file, as .h5 files are")
    return None


def _keras_format(zipped: bool) -> ModuleType:
    from fastmlp.saving.formats import kerasfile, legacyh5

    return kerasfile if zipped else legacyh5


def _tensor_names(model: Model) -> TensorNames:
    """The names in the plan."""
    assert model.plan is not None
    names = [parameter.name for parameter in model.plan.parameters]
    return TensorNames(names, [names[index] for index in contents.learned(model)], "optimizer")


def _library_version() -> str:
    import fastmlp

    return fastmlp.__version__


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _checked_document(file: ModelFile) -> dict[str, Any]:
    """The document, with all fields present and of the right type."""
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
    """The model, without memory for its weights yet; an error unless the tensors in the file are exactly those it needs."""
    model = contents.make(file.path, document["model"], document["kind"])
    assert model.plan is not None
    wanted = {parameter.name: parameter.shape for parameter in model.plan.parameters}
    names = _tensor_names(model)
    of_slots = {name: wanted[weight] for slot in document["slots"] for name, weight in zip(names.of_slot(slot), names.learned, strict=True)}
    wanted |= of_slots
    for name, shape in wanted.items():
        if name not in file.shapes:
            raise file.fail(f"its model needs the tensor {name!r:.80}, which is not there")
        if file.shapes[name] != shape and not (name in of_slots and file.shapes[name] in (shape[:1], shape[1:], (0,))):
            raise file.fail(f"its model needs the tensor {name!r:.80} with shape {shape}, but there it has {file.shapes[name]}")
    if spare := file.shapes.keys() - wanted.keys():
        raise file.fail(f"it has a tensor {min(spare)!r:.80} that its model does not use")
    contents.check_widths(file.path, model, sum(int(np.prod(shape)) for shape in file.shapes.values()))
    return model


def _load_tensors(model: Model, path: str | os.PathLike[str], skip_mismatch: bool) -> None:
    """Load the weights of a safetensors file into ``model``, in the order of the layers."""
    with ModelFile(path) as file:
        document = _checked_document(file)
        stored = _described_model(file, document).plan
        assert stored is not None
        assert model.plan is not None
        if len(stored.parameters) != len(model.plan.parameters):
            counts = f"the model has {len(model.plan.parameters)} arrays of weights, but there are {len(stored.parameters)}"
            raise file.fail(f"it does not fit the model: {counts}")
        wanted: list[str | None] = []
        for own, other in zip(model.plan.parameters, stored.parameters, strict=True):
            fits = own.shape == other.shape
            problem = f"{own.name} has the shape {own.shape}, but there it has {other.shape}"
            if not fits and not skip_mismatch:
                raise file.fail(f"it does not fit the model: {problem}")
            if not fits:
                checks.warn(f"weights are not loaded: {problem}")
            wanted.append(other.name if fits else None)
        tensors = file.read({name for name in wanted if name is not None})
        _check_finite(file, tensors, document["non_finite"])
    with contents.exclusively(model, "load_weights"):
        contents.assign(path, model, [tensors[name] if name is not None else None for name in wanted])


def _check_finite(file: ModelFile, tensors: Mapping[str, NDArray[np.float32]], declared: list[str]) -> None:
    for name, tensor in tensors.items():
        if name not in declared and not np.isfinite(tensor).all():
            raise file.fail(f"the tensor {name!r:.80} holds NaN or Inf, but had none when it was saved")


class Files:
    """The :class:`~fastmlp._models.storage.Storage` of models."""

    save_model = staticmethod(save_model)
    save_weights = staticmethod(save_weights)
    load_weights = staticmethod(load_weights)

    @staticmethod
    def to_json(model: Model, options: Mapping[str, Any]) -> str:
        from fastmlp.saving.formats import kerasconfig

        return json.dumps(kerasconfig.write_model(model), **options)

    @staticmethod
    def read_config(kind: str, config: StoredConfig) -> Config:
        from fastmlp.saving.formats import kerasconfig

        return kerasconfig.read_model({"class_name": kind, "config": config})[1]


provide(Files)

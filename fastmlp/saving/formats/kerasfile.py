"""``.keras``, Keras 3's own format: a zip file of

    metadata.json       {"keras_version": …, "date_saved": …}; fastmlp adds "fastmlp", which Keras does not read
    config.json         the model and what it was compiled for, see :mod:`fastmlp.saving.formats.kerasconfig`
    model.weights.h5    its arrays, see :mod:`fastmlp.saving.formats.variables`
    assets/…            vocabularies, see :mod:`fastmlp.saving.formats.assets`; fastmlp writes them into config.json, which Keras reads too

Other members are never looked at, and nothing is unpacked to the disk.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import fastmlp.saving.formats.assets as assets
import fastmlp.saving.formats.document as document
import fastmlp.saving.formats.kerascompile as kerascompile
import fastmlp.saving.formats.kerasconfig as kerasconfig
import fastmlp.saving.formats.variables as variables
from fastmlp._base import h5
from fastmlp._base.files import blaming, open_regular, parse_json, replacing
from fastmlp._models.model import Model
from fastmlp.errors import ModelFileError
from fastmlp.saving.contents import Contents

__all__ = ["describe", "load", "load_weights", "save", "save_weights"]

AnyPath = str | os.PathLike[str]

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError)
"""What zipfile raises about damaged files, and about encrypted ones."""
_JSON_LIMIT = 4 << 20
"""Bytes; room for some thousands of layers."""
_VOCABULARY_LIMIT = 16 << 20
"""Bytes of a file of tokens."""
_EXPANSION = 100
"""How many times smaller than its content a member may be stored; Keras does not compress them."""


def save(model: Model, target: Path, include_optimizer: bool, provenance: Mapping[str, Any]) -> None:
    """Writes a model to ``target``, which passed :func:`fastmlp._base.files.check_target`."""
    held = Contents.of(model, include_optimizer)
    config = kerasconfig.write_model(model)
    if held.compile is not None:
        config["compile_config"] = kerascompile.write_compile(held.compile)
    metadata = {
        "keras_version": kerasconfig.KERAS_VERSION,
        "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "fastmlp": document.ours(held, provenance),
    }
    weights = _weights_file(model, held, include_optimizer)
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(_METADATA, json.dumps(metadata, allow_nan=False))
        archive.writestr(_CONFIG, json.dumps(config, allow_nan=False))
        archive.writestr(_WEIGHTS, weights)


def save_weights(model: Model, target: Path) -> None:
    """Writes the arrays of a model to ``target``, which passed :func:`fastmlp._base.files.check_target`."""
    weights = _weights_file(model, Contents.of(model), include_optimizer=True)
    with replacing(target) as temporary:
        temporary.write_bytes(weights)


def _weights_file(model: Model, held: Contents, include_optimizer: bool) -> bytes:
    memory = io.BytesIO()
    with h5.writing(memory) as root:
        variables.write(root, model, held, include_optimizer)
    return memory.getvalue()


def load(path: AnyPath, compile: bool) -> Model:
    """The model in a file; see :func:`fastmlp.load_model`."""
    with _opened(path) as archive:
        config, metadata = archive.model(), archive.json(_METADATA)
        model = document.make(path, config)
        with _weights(archive, model) as root:
            weights = variables.read_weights(root, model)
            state = root.find("optimizer/vars")
            document.restore(
                path,
                model,
                weights,
                config.get("compile_config") if compile else None,
                (state, _numbered(state)) if state else None,
                document.checked_ours(path, metadata.get("fastmlp")),
            )
        return model


def load_weights(model: Model, path: AnyPath, skip_mismatch: bool) -> None:
    """Gives ``model`` the arrays in a ``.keras`` or ``.weights.h5`` file, and its optimizer's state if it has one of this kind."""
    with ExitStack() as stack:
        if _is_zip(path):
            root = stack.enter_context(_weights(stack.enter_context(_opened(path)), model))
        else:
            file = stack.enter_context(open_regular(path))
            root = stack.enter_context(h5.reading(file.read(), path))
        weights = variables.read_weights(root, model, skip_mismatch)
        state = root.find("optimizer/vars")
        document.restore_weights(path, model, weights, (state, _numbered(state)) if state else None, skip_mismatch)


def describe(path: AnyPath) -> dict[str, Any]:
    """See :func:`fastmlp.saving.describe`."""
    with _opened(path) as archive:
        config, metadata = archive.model(), archive.json(_METADATA)
        ours = document.checked_ours(path, metadata.get("fastmlp"))
        version, created = str(metadata.get("keras_version")), str(metadata.get("date_saved")).replace("@", " ")
        return document.description(path, config, config.get("compile_config"), version, created, ours)


def _numbered(group: h5.Group) -> list[str]:
    return [str(number) for number in range(len(group.names()))]


class _Archive:
    """The zip file, its members' sizes checked."""

    def __init__(self, archive: zipfile.ZipFile, path: AnyPath) -> None:
        self._archive = archive
        self.path = path
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise ModelFileError(path, "two of its members have the same name")
        if "model.weights.npz" in names and _WEIGHTS not in names:
            raise ModelFileError(
                path, "its weights are an .npz file, which is not in fastmlp; save it with Keras' default, weights_format='h5'"
            )

    def model(self) -> dict[str, Any]:
        """The description of the model, with the vocabularies that are members of their own."""
        config = self.json(_CONFIG)
        with blaming(self.path, "a vocabulary of its model"):
            assets.fill(config, self._text)
        return config

    def _text(self, name: str) -> str | None:
        return self.read(name, _VOCABULARY_LIMIT).decode() if name in self._archive.namelist() else None

    def json(self, name: str) -> dict[str, Any]:
        """A member that is a JSON object."""
        return parse_json(self.path, self.read(name, _JSON_LIMIT), name)

    def read(self, name: str, limit: int) -> bytes:
        """A member of at most ``limit`` bytes."""
        try:
            member = self._archive.getinfo(name)
        except KeyError:
            raise ModelFileError(self.path, f"it has no {name}, so it is not a model saved by Keras 3") from None
        if member.file_size > limit:
            raise ModelFileError(self.path, f"its {name} takes {member.file_size} bytes; the model has use for at most {limit}")
        if member.file_size > _EXPANSION * member.compress_size:
            raise ModelFileError(self.path, f"its {name} would grow from {member.compress_size} bytes to {member.file_size} when unpacked")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ModelFileError(self.path, f"its {name} is compressed in a way that Keras does not use")
        try:
            return self._archive.read(member)
        except _DAMAGED as error:
            raise ModelFileError(self.path, f"it is damaged: its {name} can't be read ({error})") from error


@contextmanager
def _opened(path: AnyPath) -> Iterator[_Archive]:
    with open_regular(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise ModelFileError(path, f"it is not a zip file as Keras 3 saves them, or is truncated ({error})") from error
        with archive:
            yield _Archive(archive, path)


@contextmanager
def _weights(archive: _Archive, model: Model) -> Iterator[h5.Group]:
    data = archive.read(_WEIGHTS, variables.count_bytes(model))
    with h5.reading(data, archive.path) as root:
        yield root


def _is_zip(path: AnyPath) -> bool:
    with open_regular(path) as file:
        return file.read(2) == b"PK"

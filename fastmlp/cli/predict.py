"""``fastmlp predict``: predictions of a saved model for the samples of a file, or for images of digits."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastmlp.cli.arguments as arguments
from fastmlp.cli.answers import Answers, classes_of, for_classes, write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fastmlp._base.configs import StoredConfig
    from fastmlp._models.model import Model

_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
_TEXT = {".csv", ".tsv", ".txt"}
_IMAGE_SIDE, _IMAGE_PIXELS = 28, 28 * 28

_EPILOG = """\
examples:
  fastmlp predict spiral.safetensors points.csv          two numbers a line, with or without a header
  fastmlp predict digits.safetensors four.png mine.jpg   images of digits
  fastmlp predict digits.safetensors images.npy --json   a NumPy array of samples or of 28 x 28 images
  zcat points.csv.gz | fastmlp predict spiral.safetensors - --out predictions.csv
  fastmlp predict churn.safetensors new.csv --proba --id customer --out churn.csv   a table, by a model of tables

A model that was trained on a file finds its columns by their names, ignores others, and refuses a file that lacks one.
Text may be separated by commas, semicolons, tabs or blank space, and quoted. Its first line is a header if it has the names of the
model's features, which are then found by name, or no numbers; --header and --no-header decide otherwise.
An image of a digit may have any size and colours, dark on light or light on dark. Models saved by `fastmlp train` scale their input
themselves: pass pixels from 0 to 255.
"""


def add_parser(commands: arguments.Commands) -> None:
    """Add ``predict`` to the command's parser."""
    parser = commands.add_parser(
        "predict",
        help="predict with a saved model",
        description="Print the class and the probabilities that a model predicts for each sample of a file, or for each image.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="a file saved by fastmlp (.safetensors)")
    parser.add_argument(
        "data", metavar="DATA", nargs="+", help=".npy, .csv, .csv.gz, .parquet, - for the standard input, or images of digits"
    )
    arguments.add_header(parser)
    parser.add_argument("--out", metavar="FILE", help="write the predictions to FILE: JSON if its name ends in .json, else CSV")
    parser.add_argument("--proba", action="store_true", help="the probabilities of all classes too (models of tables; others always)")
    parser.add_argument("--id", metavar="COLUMN", help="a column to repeat beside the predictions (default: that of --id in training)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import numpy as np

    from fastmlp.cli.tables.stored import StoredTable
    from fastmlp.errors import UnsupportedError
    from fastmlp.saving import describe, load_model

    provenance = describe(options.model)["provenance"]
    model = load_model(options.model, compile=False)
    if len(model.graph.inputs) > 1 or len(model.graph.outputs) > 1:
        raise UnsupportedError(f"{options.model} has several inputs or outputs; use it from Python: fastmlp.load_model(...).predict(x)")
    if provenance.get("preparation") not in (None, {"flatten": False, "divide_by": 1.0}):
        raise ValueError(f"{options.model} was written by an older fastmlp, whose models did not scale their input; train it again")
    stored = StoredTable.of(model, provenance)
    if stored is not None:
        from fastmlp.cli.tables.prediction import predict

        write(predict(model, stored, options), options)
        return 0
    if options.id is not None:
        raise ValueError(f"--id is for models of tables, and {options.model} is none")
    divided = False
    names: list[str] = []
    parts: list[NDArray[Any]] = []
    for name in options.data:
        rows = _rows(name, model, options.header)
        if _is_image(name) and not _scales(model):
            rows, divided = rows / np.float32(255), True
        parts.append(rows)
        short = Path(name).name
        single = _is_image(name) or (len(rows) == 1 and len(options.data) > 1)
        names += [short] if single else [f"{short}:{i}" if len(options.data) > 1 else str(i) for i in range(len(rows))]
    if divided:
        print("fastmlp: the model does not begin with a layer that scales its input; dividing pixels by 255", file=sys.stderr)
    write(_predict(model, np.concatenate(parts), names, provenance), options)
    return 0


def _scales(model: Model) -> bool:
    """Whether the model begins with a layer that scales its input."""
    from fastmlp.layers import Flatten, InputLayer, Normalization, Rescaling

    first = next((layer for layer in model.layers if not isinstance(layer, (InputLayer, Flatten))), None)
    return isinstance(first, (Normalization, Rescaling))


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in _IMAGES


# Reading


def _rows(name: str, model: Model, header: bool | None) -> NDArray[np.float32]:
    """The samples of one file in the shape the model takes."""
    import numpy as np

    from fastmlp.cli.tables.names import STDIN
    from fastmlp.cli.tables.text import read_bytes

    path = Path(name)
    if name != STDIN and not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    shape = model.input_shape[1:]
    if _is_image(path.name):
        if shape not in {(_IMAGE_PIXELS,), (_IMAGE_SIDE, _IMAGE_SIDE)}:
            raise ValueError(f"{path} is an image, but the model takes samples of shape {shape}, not 28 x 28 pixels")
        from fastmlp._data.images import load_digit

        values: NDArray[Any] = load_digit(path)[None]
    elif path.suffix.lower() == ".npy":
        values = _read_npy(path)
    elif name == STDIN or Path(name.lower().removesuffix(".gz")).suffix in _TEXT:
        values = _read_text(name, read_bytes(name), model, header)
    else:
        raise ValueError(f"{path}: expected the name of a .npy, .csv or .csv.gz file, or of an image ({', '.join(sorted(_IMAGES))})")
    return _fitted(path, values, shape).astype(np.float32).reshape(-1, *_sizes(shape))


def _fitted(path: Path, values: NDArray[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The values with a batch axis; a ValueError if the shape of a sample is not the model's."""
    sizes = _sizes(shape)
    accepted = {sizes, (math.prod(sizes),)} | ({(_IMAGE_SIDE, _IMAGE_SIDE)} if sizes == (_IMAGE_PIXELS,) else set())
    if values.shape in accepted:
        values = values[None]
    elif sizes == (1,) and values.ndim == 1:
        values = values[:, None]
    if values.ndim < 2 or values.shape[1:] not in accepted:
        found = f"{values.shape[1]} columns" if values.ndim == 2 else f"the shape {values.shape}"
        wanted = f"{sizes[0]}" if len(sizes) == 1 else f"samples of shape {sizes}"
        raise ValueError(f"{path} has {found}, but the model takes {wanted}")
    return values


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


def _read_npy(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        # Memory-mapped, so that a header with a larger size than the file allocates nothing.
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not an array of numbers that NumPy can read: {error}") from None
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{path} holds {values.dtype}, not numbers")
    return values


def _read_text(name: str, content: bytes, model: Model, header: bool | None) -> NDArray[np.float64]:
    """The samples of a text, with the columns in the order of the model's features."""
    from fastmlp.cli.tables.matrix import read_table
    from fastmlp.cli.tables.names import STDIN

    width = math.prod(_sizes(model.input_shape[1:]))
    features = model.feature_names
    table = read_table("standard input" if name == STDIN else name, content, width, features, header)
    if table.doubt:
        print(f"fastmlp: {table.doubt}", file=sys.stderr)
    if not features or table.names is None or table.names == features:
        return table.values
    missing = [feature for feature in features if feature not in table.names]
    if missing:
        raise ValueError(
            f"{name} has the columns {', '.join(table.names)}, but the model was trained on {', '.join(features)}: "
            f"{', '.join(missing)} is missing; rename the columns, or remove the header to have them taken in their order"
        )
    spare = [column for column in table.names if column not in features]
    if spare:
        print(f"fastmlp: {name}: the model does not use {', '.join(spare)}", file=sys.stderr)
    return table.values[:, [table.names.index(feature) for feature in features]]


# Predicting


def _predict(model: Model, x: NDArray[np.float32], rows: Sequence[str], provenance: StoredConfig) -> Answers:
    classes = classes_of(model, provenance)
    values = for_classes(model.predict(x, verbose=0), classes)
    return Answers(list(rows), classes or [str(k) for k in range(values.shape[1])], values, classifies=bool(classes))

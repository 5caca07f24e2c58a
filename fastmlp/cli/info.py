"""``fastmlp info``: the contents of a model file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from fastmlp._base.configs import StoredConfig
    from fastmlp._models.model import Model
    from fastmlp.cli.arguments import Commands


def add_parser(commands: Commands) -> None:
    """Add ``info`` to the command's parser."""
    parser = commands.add_parser(
        "info",
        help="show the contents of a model file",
        description="Show the layers of a saved model, how it was trained and where it comes from. The whole file is checked for damage.",
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="a saved model (.safetensors, .keras or .h5)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import fastmlp.cli.output as output
    from fastmlp.saving import describe, load_model

    document = describe(options.model)
    model = load_model(options.model, compile=False)
    console = output.console()
    model.summary(print_fn=lambda text: console.print(text.rstrip("\n"), markup=False, soft_wrap=True))
    console.print(output.facts(Path(options.model).name, _facts(Path(options.model), document)))
    provenance = dict(document["provenance"])
    for table in _tables(model, provenance):
        console.print(table)
    if provenance:
        console.print(output.facts("provenance", _flat(provenance)))
    return 0


def _tables(model: Model, provenance: dict[str, Any]) -> Iterator[Table]:
    """The features and scores of a model of tables; they are removed from the provenance."""
    from fastmlp.cli.tables.networks import described_features

    features = described_features(model)
    if features is None:
        return
    from fastmlp.cli.tables.report import features_table, scores_table

    yield features_table(features.values())
    if provenance.get("command") != "fastmlp train":
        return
    table, scores = provenance.pop("table"), provenance.pop("scores")
    yield scores_table(f"scores on {provenance['test_rows']:,} test rows", scores)
    for name in ("target", "id"):
        if table.get(name):
            provenance[name] = table[name]
    if table.get("left_out"):
        provenance["left_out"] = [f"{name} ({reason})" for name, reason in table["left_out"].items()]


def _facts(path: Path, document: StoredConfig) -> Iterator[tuple[str, object]]:
    keras = document["format"] == "keras"
    yield "size", f"{path.stat().st_size:,} bytes" + ("" if keras else ", checksums are right")
    writer = f"fastmlp {document['fastmlp_version']}" if document["fastmlp_version"] else f"Keras {document['keras_version']}"
    yield "saved", f"{document['created']} by {writer}".lstrip()
    for key, names in document.get("columns", {}).items():
        yield {"x": "features", "y": "targets"}.get(key, key), ", ".join(names)
    if document.get("class_names"):
        yield "classes", ", ".join(map(str, document["class_names"]))
    compiled, training = document["compile"], document["training"]
    if compiled is None:
        yield "compiled", "no"
        return
    yield "optimizer", _call(compiled["optimizer"])
    losses = compiled["loss"] if isinstance(compiled["loss"], list) else [compiled["loss"]]
    yield "loss", ", ".join(_call(loss) if isinstance(loss, Mapping) else str(loss) for loss in losses)
    if keras:
        return
    yield "trained", f"{training['epochs']} epochs, {training['iterations']} updates, seed {training['seed']}"
    yield "optimizer state", ", ".join(document["slots"]) or "none"


def _call(stored: StoredConfig) -> str:
    """``Adam(learning_rate=0.001, …)``."""
    arguments = ", ".join(f"{name}={value}" for name, value in stored["config"].items() if name != "name")
    return f"{stored['class']}({arguments})"


def _flat(stored: StoredConfig, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in stored.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, list) else value

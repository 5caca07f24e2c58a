"""What ``.keras`` files hold beside configuration and arrays: the vocabularies that lookups have learned,

assets/layers/integer_lookup/vocabulary.txt      a token in each line, the special ones first
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastmlp._base import naming

__all__ = ["fill"]


def fill(config: Mapping[str, Any], read: Callable[[str], str | None]) -> None:
    """Put learned vocabularies into the layers of a model that Keras describes.

    Args:
        config: Keras' description of a model.
        read: Gives the text of a member of the file, None where there is no such.

    Raises:
        ValueError: A vocabulary is malformed.
    """
    for place, layer in _lookups(config, ""):
        text = read(f"assets/{place}/vocabulary.txt")
        if text is not None:
            layer["vocabulary"] = [_token(line, place) for line in text.splitlines()]
            layer["has_input_vocabulary"] = False


def _lookups(config: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where the lookups of a model lie that have no vocabulary, and their arguments. Layers are counted by their classes."""
    counts: Counter[str] = Counter()
    arguments = config.get("config") if isinstance(config, Mapping) else None
    layers = arguments.get("layers") if isinstance(arguments, Mapping) else None
    for layer in layers if isinstance(layers, list) else ():
        if not isinstance(layer, dict) or not isinstance(layer.get("class_name"), str):
            continue
        name = naming.snake_case(layer["class_name"])
        place = f"{path}layers/{name}_{counts[name]}" if counts[name] else f"{path}layers/{name}"
        counts[name] += 1
        own = layer.get("config")
        if layer["class_name"] == "IntegerLookup" and isinstance(own, dict) and own.get("vocabulary") is None:
            yield place, own
        yield from _lookups(layer, f"{place}/")


def _token(line: str, place: str) -> int:
    try:
        return int(line)
    except ValueError:
        raise ValueError(f"the vocabulary of {place} holds {line!r:.40}, which is no integer") from None

"""Inputs of models that are tables, because the first layer that reads them is a TableEncoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastmlp._graph.symbolic import Tensor
from fastmlp.layers import TableEncoder

__all__ = ["encoders_of"]


def encoders_of(graph: Any) -> dict[int, TableEncoder]:
    """The encoders of a graph's inputs that are tables, by the index of the input.

    Raises:
        ValueError: Two encoders read the same input.
    """
    found = {}
    for index, tensor in enumerate(graph.inputs):
        encoders = list(dict.fromkeys(_readers(graph, tensor)))
        if len(encoders) > 1:
            raise ValueError(
                f"the layers {encoders[0].name!r} and {encoders[1].name!r} read the same input, but a table is read by one TableEncoder; "
                "create an Input for each of them"
            )
        if encoders:
            found[index] = encoders[0]
    return found


def _readers(graph: Any, tensor: Tensor) -> Iterator[TableEncoder]:
    """The encoders that read a tensor, also in models inside the model."""
    for call in graph.calls:
        inner = getattr(call.layer, "graph", None)
        for given, own in zip(call.inputs, call.inputs if inner is None else inner.inputs, strict=True):
            if given is tensor and inner is not None:
                yield from _readers(inner, own)
            elif given is tensor and isinstance(call.layer, TableEncoder):
                yield call.layer

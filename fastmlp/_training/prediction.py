"""The loops of ``predict``: over arrays, in calls of about 50 ms, and over streams of batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._engine.network import Network
from fastmlp._engine.spec import SparseRows
from fastmlp._training.epoch_loop import CHUNK_SECONDS, abandoning
from fastmlp.callbacks import CallbackList

__all__ = ["predict_batches", "predict_samples"]

FIRST_PREDICT_FLOPS = 1e9
"""Floating-point operations of the first call of the engine; the size of later calls depends on its time."""


def predict_samples(
    network: Network,
    x: np.ndarray | SparseRows,
    batch_size: int,
    arrange: Callable[[NDArray[np.float32]], Any],
    listeners: CallbackList,
) -> NDArray[np.float32]:
    """The network's outputs for all samples, ``(samples, outputs)``.

    Args:
        network: The network.
        x: The converted samples.
        batch_size: Samples per batch for callbacks; calls of the engine may process more if no callback has batch methods.
        arrange: Converts the network's output to the structure passed to callbacks.
        listeners: The callbacks.
    """
    plan = network.plan
    out = np.empty((len(x), plan.widths[plan.output]), np.float32)
    each = listeners.listens_to_batches("predict")
    multiply_adds = sum(parameter.shape[0] * parameter.shape[-1] for parameter in plan.parameters)
    chunk = batch_size if each else max(batch_size, int(FIRST_PREDICT_FLOPS / (2 * multiply_adds + 1)))
    with abandoning(listeners):
        listeners.on_predict_begin()
        at = 0
        while at < len(x):
            stop = min(at + chunk, len(x))
            if each:
                listeners.on_predict_batch_begin(at // batch_size)
            start = time.perf_counter()
            network.predict(x[at:stop], out[at:stop])
            elapsed = time.perf_counter() - start
            if each:
                listeners.on_predict_batch_end(at // batch_size, {"outputs": arrange(out[at:stop])})
            elif elapsed < CHUNK_SECONDS / 2:
                chunk *= 2
            elif elapsed > CHUNK_SECONDS * 2:
                chunk = max(1, chunk // 2)
            at = stop
            listeners.advance(at // batch_size, {})
        listeners.on_predict_end()
    return out


def predict_batches(batches: Iterable[Any], predict: Callable[[Any], Any], listeners: CallbackList) -> Any:
    """The model's outputs for all batches of a stream, in the structure of its outputs.

    Args:
        batches: The batches, at least one.
        predict: Returns the model's output for one batch.
        listeners: The callbacks.
    """
    each = listeners.listens_to_batches("predict")
    parts: list[Any] = []
    with abandoning(listeners):
        listeners.on_predict_begin()
        for number, batch in enumerate(batches):
            if each:
                listeners.on_predict_batch_begin(number)
            parts.append(predict(batch))
            if each:
                listeners.on_predict_batch_end(number, {"outputs": parts[-1]})
            listeners.advance(number + 1, {})
        listeners.on_predict_end()
    return _concatenate(parts)


def _concatenate(parts: list[Any]) -> Any:
    """Concatenate the predictions of batches, which are arrays, or lists or dicts of arrays."""
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if isinstance(parts[0], (list, tuple)):
        return [np.concatenate(of_output) for of_output in zip(*parts, strict=True)]
    return np.concatenate(parts)

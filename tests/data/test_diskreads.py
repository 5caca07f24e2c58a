"""Memory maps that are larger than memory are read without reading on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from fastmlp import callbacks, layers, models
from fastmlp._data.adapters import memory_maps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how a map is read")


def read_at_random(path):
    """Whether the system was told not to read on in the map of this file."""
    flags = None
    mine = False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split(" ")[0]:
            mine = line.endswith(str(path))
        elif mine and line.startswith("VmFlags:"):
            flags = line.split()
    assert flags is not None
    return "rr" in flags


@pytest.mark.parametrize(("available", "shuffle", "wanted"), [(0, True, True), (0, False, False), (1 << 40, True, False)])
def test_a_shuffled_map_larger_than_memory_is_read_at_random_while_it_trains(tmp_path, monkeypatch, available, shuffle, wanted):
    monkeypatch.setattr(memory_maps, "available_memory", lambda: available)
    path = tmp_path / "x.bin"
    np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32).tofile(path)
    x = np.memmap(path, np.float32, "r", shape=(2000, 3))
    seen = []

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(read_at_random(path))

    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile(optimizer="sgd", loss="mse")
    model.fit(x, np.zeros(2000), shuffle=shuffle, verbose=0, callbacks=[Look()])
    assert seen == [wanted]
    assert not read_at_random(path)


def test_available_memory_is_a_number_of_bytes():
    assert memory_maps.available_memory() > 1 << 20

"""Time per prediction of a policy network in a loop without the GIL, from C and from Cython: ``pytest benchmarks/bench_c_api.py``.

A round is 500 predictions of one sample, each of which reads the previous output; ``ns_per_call`` is that of the fastest round.
"""

from __future__ import annotations

import downstream
import numpy as np
import pytest

from fastmlp import layers, models

CALLS = 500


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("Cython", reason="builds a Cython module")
    pytest.importorskip("setuptools", reason="builds extension modules")
    if downstream.compiler() is None:
        pytest.skip("there is no C compiler")
    return downstream.build(tmp_path_factory.mktemp("downstream"), "-O2")


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("language", ["c", "cython"])
def bench_policy_without_the_gil(benchmark, built, language, activation):
    last = layers.Dense(6, bias_initializer="normal")  # without a bias, the state decays to zero, and zeros are skipped
    model = models.Sequential([layers.Dense(64, activation, input_shape=(17,)), layers.Dense(64, activation), last])
    state = np.linspace(-1, 1, 17).astype(np.float32)
    policy = built[1].Policy(model)

    def run():
        if language == "c":
            built[0].rollout(model, state, CALLS)
        else:
            policy.rollout(state, CALLS)

    benchmark.group = "a policy call without the GIL"
    benchmark.pedantic(run, rounds=1000, warmup_rounds=10)
    benchmark.extra_info["ns_per_call"] = round(benchmark.stats.stats.min / CALLS * 1e9, 1)

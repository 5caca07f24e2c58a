"""Optimizer kernels: against the rules of the reference engine in float64, the same bits on every instruction set."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, kernels, same_bits

from fastmlp import _core
from fastmlp.plan import Update
from fastmlp.reference.optimizers import OPTIMIZERS

SIZES = [*range(36), 63, 64, 65, 1000]
RULES = {
    "sgd": Update("sgd"),
    "sgd with momentum": Update("sgd", momentum=0.9),
    "sgd with Nesterov momentum": Update("sgd", momentum=0.9, nesterov=True),
    "rmsprop": Update("rmsprop", rho=0.9),
    "rmsprop with momentum": Update("rmsprop", rho=0.8, momentum=0.5),
    "adam": Update("adam", beta_1=0.9, beta_2=0.999),
}
RATE = 0.01
STEPS = 3

rng = np.random.default_rng(3)
W = rng.normal(0, 1, 1000).astype(np.float32)
G = rng.normal(0, 1, (STEPS, 1000)).astype(np.float32)


def test_every_optimizer_of_the_manifest_is_tested():
    assert {rule.kind for rule in RULES.values()} == set(_core.OPTIMIZERS)


def constants(rule):
    return {
        "momentum": rule.momentum,
        "nesterov": rule.nesterov,
        "rho": rule.rho,
        "one_minus_rho": 1 - rule.rho,
        "one_minus_beta_1": 1 - rule.beta_1,
        "one_minus_beta_2": 1 - rule.beta_2,
        "epsilon": rule.epsilon,
    }


def corrected(rule, t):
    """The learning rate that the kernel is given for step t, from 1: for Adam with the correction of its first means."""
    return RATE * np.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t) if rule.kind == "adam" else RATE


def slots_of(rule):
    return len(OPTIMIZERS[rule.kind].slots(rule))


def run(isa, rule, n, side, g=G):
    """Some steps of a kernel, every array between guards; returns the parameters and the slots."""
    w = Guarded(W[:n], side)
    slots = [Guarded(np.zeros(n, np.float32), side) for _ in range(slots_of(rule))]
    memory = [slot.array for slot in slots] + [None] * (2 - len(slots))
    for t, gradient in enumerate(g, 1):
        gradient = Guarded(gradient[:n], side)
        update = kernels(isa)[f"update_{rule.kind}"]
        update(n=n, w=w.array, g=gradient.array, slot=memory, learning_rate=corrected(rule, t), **constants(rule))
        gradient.check()
    for guarded in (w, *slots):
        guarded.check()
    return [guarded.array.copy() for guarded in (w, *slots)]


def expected(rule, n, g=G):
    w = W[:n].astype(np.float64)
    slots = {name: np.zeros(n) for name in OPTIMIZERS[rule.kind].slots(rule)}
    for t, gradient in enumerate(g, 1):
        w, slots = OPTIMIZERS[rule.kind].step(rule, RATE, t, w, gradient[:n].astype(np.float64), **slots)
    return [w, *slots.values()]


@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_steps_of_any_length_follow_the_rule(rule, side):
    for n in SIZES:
        results = [run(isa, rule, n, side) for isa in ISAS]
        for result in results:
            assert all(same_bits(a, b) for a, b in zip(results[0], result, strict=True))
        for result, wanted in zip(results[0], expected(rule, n), strict=True):
            np.testing.assert_allclose(result, wanted, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("isa", ISAS)
def test_sgd_is_rounded_once(isa):
    (w,) = run(isa, Update("sgd"), 1000, "end", G[:1])
    exact = W.astype(np.float64) - np.float64(np.float32(RATE)) * G[0]  # the product is exact in float64, the sum rounds far below float32
    assert same_bits(w, exact.astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_gradient_of_zero_moves_nothing_at_first(isa, rule):
    w, *slots = run(isa, rule, 37, "end", np.zeros((1, 37), np.float32))
    assert same_bits(w, W[:37])
    assert not np.any(slots)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", ["adam", "rmsprop"])
def test_the_mean_square_never_falls_below_zero(isa, kind):
    g = np.float32(10.0) ** np.linspace(-15, 15, 1000, dtype=np.float32)
    gradients = np.stack([g, g[::-1], np.zeros_like(g), g])
    rule = Update(kind, beta_2=0.5, rho=0.5)
    for steps in range(1, 5):
        w, *slots = run(isa, rule, 1000, "end", gradients[:steps])
        assert np.isfinite(w).all()
        assert (slots[1 if kind == "adam" else 0] >= 0).all()

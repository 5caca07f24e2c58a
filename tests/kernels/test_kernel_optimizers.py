"""Optimizer kernels: against the rules of the reference engine in float64, the same bits on every instruction set."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, kernels, same_bits
from update_cases import LAZY_RULES, RATE, constants

from fastmlp import _core
from fastmlp._engine.spec import Update
from fastmlp.reference.optimizers import OPTIMIZERS, slot_names

SIZES = [*range(36), 63, 64, 65, 1000]
RULES = {
    **LAZY_RULES,
    "centered rmsprop": Update("rmsprop", rho=0.9, centered=True),
    "centered rmsprop with momentum": Update("rmsprop", rho=0.9, momentum=0.5, centered=True),
    "amsgrad": Update("adam", beta_2=0.5, amsgrad=True),
    "adagrad": Update("adagrad"),
    "adadelta": Update("adadelta", rho=0.95),
    "adamax": Update("adamax"),
    "nadam": Update("nadam"),
    "lion": Update("lion", beta_2=0.99),
    "ftrl": Update("ftrl", l1=0.5, l2=0.3, shrinkage=0.2, beta=0.1),
    "ftrl with another power": Update("ftrl", power=0.7),
    "ftrl with a fixed rate": Update("ftrl", power=0.0),
    "schedule free": Update("schedule_free", warmup=2),
}
MOVING_ON = {name: rule for name, rule in RULES.items() if rule.kind != "ftrl"}
"""Rules that move weights on from where they are."""
STEPS = 3

rng = np.random.default_rng(3)
W = rng.normal(0, 1, 1000).astype(np.float32)
G = rng.normal(0, 1, (STEPS, 1000)).astype(np.float32)


def test_every_optimizer_of_the_manifest_is_tested():
    with_kernels = {name for name in _core.OPTIMIZERS if f"update_{name}" in _core.kernel_addresses("portable")}
    assert {rule.kind for rule in RULES.values()} == with_kernels


def corrected(rule, t):
    """The learning rate that the kernel is given for step t, from 1: with the correction of the first means where there is one."""
    if rule.kind == "adam":
        return RATE * np.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t)
    if rule.kind == "adamax":
        return RATE / (1 - rule.beta_1**t)
    if rule.kind == "nadam":
        momenta = [rule.beta_1 * (1 - 0.5 * 0.96**i) for i in range(1, t + 1)]
        return RATE * (1 - momenta[-1]) / (1 - np.prod(momenta))
    if rule.kind == "schedule_free":
        return RATE * min(t / rule.warmup, 1)
    return RATE


def start_of(rule, n):
    """The slots before the first step."""
    return [rule.first(name, 0, W[:n]) for name in slot_names(rule)]


def run(isa, rule, n, side, g=G):
    """Some steps of a kernel, every array between guards; returns the parameters and the slots."""
    w = Guarded(W[:n], side)
    slots = [Guarded(slot, side) for slot in start_of(rule, n)]
    memory = [slot.array for slot in slots] + [None] * (3 - len(slots))
    for t, gradient in enumerate(g, 1):
        gradient = Guarded(gradient[:n], side)
        update = kernels(isa)[f"update_{rule.kind}"]
        update(n=n, w=w.array, g=gradient.array, slot=memory, learning_rate=corrected(rule, t), **constants(rule, t))
        gradient.check()
    for guarded in (w, *slots):
        guarded.check()
    return [guarded.array.copy() for guarded in (w, *slots)]


def expected(rule, n, g=G):
    w = W[:n].astype(np.float64)
    slots = {name: slot.astype(np.float64) for name, slot in zip(slot_names(rule), start_of(rule, n), strict=True)}
    for t, gradient in enumerate(g, 1):
        w, slots = OPTIMIZERS[rule.kind](rule, RATE, t, w, gradient[:n].astype(np.float64), **slots)
    return [w, *(slots[name] for name in slot_names(rule))]


@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_steps_of_any_length_follow_the_rule(rule, side):
    for n in SIZES:
        results = [run(isa, rule, n, side) for isa in ISAS]
        for result in results:
            assert all(same_bits(a, b) for a, b in zip(results[0], result, strict=True))
        for result, wanted, name in zip(results[0], expected(rule, n), ("", *slot_names(rule)), strict=True):
            unit = 1 / RATE if name == "linear" else 1.0  # differences of what was divided by the rate
            least = 1e-6 if rule.power not in (0.0, 0.5) else 2e-7  # differences of two powers, by exp and log
            np.testing.assert_allclose(result, wanted, rtol=2e-6, atol=least * unit)


@pytest.mark.parametrize("isa", ISAS)
def test_sgd_is_rounded_once(isa):
    (w,) = run(isa, Update("sgd"), 1000, "end", G[:1])
    exact = W.astype(np.float64) - np.float64(np.float32(RATE)) * G[0]  # the product is exact in float64, the sum rounds far below float32
    assert same_bits(w, exact.astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rule", MOVING_ON.values(), ids=MOVING_ON.keys())
def test_a_gradient_of_zero_moves_nothing_at_first(isa, rule):
    w, *slots = run(isa, rule, 37, "end", np.zeros((1, 37), np.float32))
    assert same_bits(w, W[:37])
    assert all(same_bits(slot, start) for slot, start in zip(slots, start_of(rule, 37), strict=True))


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


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("among", ["each other", "zeros"])
def test_the_root_and_the_quotient_of_a_step_are_rounded_correctly(isa, among):
    """Adam moves a weight of 0 with a rate of −1 and a mean of 1, neither of which changes, to 1 / √v."""
    v = np.arange(0x00800000, 0x7F800000, 1009, dtype=np.uint32).view(np.float32)  # normal numbers of all magnitudes
    epsilon = 0.0
    if among == "zeros":  # … of which a vector may hold any number
        v[np.random.default_rng(5).random(len(v)) < 0.5] = 0.0
        epsilon = 1.0
    w = np.zeros_like(v)
    kernels(isa)["update_adam"](n=len(v), w=w, g=np.zeros_like(v), slot=[np.ones_like(v), v, None], learning_rate=-1.0, epsilon=epsilon)
    assert same_bits(w, np.float32(1.0) / (np.sqrt(v) + np.float32(epsilon)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("power", [0.5, 0.7])
def test_ftrl_makes_weights_of_their_gradients_alone(isa, power):
    still = np.zeros((1, 37), np.float32)
    for accumulator in (0.0, 0.1):  # where it is 0, so is the divisor
        w, *slots = run(isa, Update("ftrl", power=power, initial_accumulator=accumulator), 37, "end", still)
        assert same_bits(w, still[0])
        assert (slots[0] == np.float32(accumulator)).all()


@pytest.mark.parametrize("isa", ISAS)
def test_ftrl_stays_where_it_is_at_a_rate_of_zero(isa):
    w, slots = Guarded(W[:37], "end"), [Guarded(np.full(37, value, np.float32), "end") for value in (0.1, 2.0)]
    memory = [slot.array for slot in slots] + [None]
    kernels(isa)["update_ftrl"](n=37, w=w.array, g=Guarded(G[0, :37], "end").array, slot=memory, power=0.5)
    assert same_bits(w.array, W[:37])
    assert [set(slot.array.tolist()) for slot in slots] == [{np.float32(0.1).item()}, {2.0}]


@pytest.mark.parametrize("isa", ISAS)
def test_ftrl_hides_no_gradient_that_is_not_a_number(isa):
    for rule in (Update("ftrl"), Update("ftrl", l1=0.5, power=0.7)):
        assert np.isnan(run(isa, rule, 37, "end", np.full((1, 37), np.nan, np.float32))[0]).all()

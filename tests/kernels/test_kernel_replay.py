"""The kernels that catch up on steps whose gradient was zero: the bits of taking each when it came, whenever a row begins."""

import numpy as np
import pytest
from kernel_harness import ISAS, PANEL, Guarded, kernels, same_bits
from update_cases import LAZY_RULES, constants, slots_of

from fastmlp._engine.spec import Update

rng = np.random.default_rng(5)
LONG = 1200
"""Steps after which a row with the usual constants has come to rest and its momentum is gone."""


def rates(steps, highest=0.01):
    """Learning rates that change from step to step."""
    return (highest * rng.uniform(0.3, 1, steps)).astype(np.float32)


def start(rule, rows, panels, scale=1.0):
    """Parameters and slots [panels][rows][16] as training leaves them: a step's gradient, of every size, after many others."""
    shape = (panels, rows, PANEL)
    w = rng.normal(0, scale, shape).astype(np.float32)
    g = (rng.normal(0, 1, shape) * 10.0 ** rng.integers(-8, 2, shape)).astype(np.float32)
    first = g * np.float32(0.1) if rule.kind != "rmsprop" else g * g
    second = g * g * np.float32(0.001) if rule.kind == "adam" else g * np.float32(0.01)
    return [w, first.astype(np.float32), second.astype(np.float32)][: 1 + slots_of(rule)]


def one_by_one(isa, rule, arrays, done, learning_rate):
    """Every row's steps taken with a gradient of zero, one call a step."""
    arrays = [array.copy() for array in arrays]
    panels, rows, _ = arrays[0].shape
    update = kernels(isa)[f"update_{rule.kind}"]
    zero = np.zeros(PANEL, np.float32)
    for row in range(rows):
        for rate in learning_rate[done[row] :]:
            for panel in range(panels):
                w, *slots = (array[panel, row] for array in arrays)
                update(n=PANEL, w=w, g=zero, slot=slots + [None] * (3 - len(slots)), learning_rate=rate, **constants(rule))
    return arrays


def replayed(isa, rule, arrays, done, learning_rate, index=None, side="end"):
    w, *slots = guarded = [Guarded(array, side) for array in arrays]
    panels, rows, _ = arrays[0].shape
    kernels(isa)[f"replay_{rule.kind}"](
        update={"w": w.array, "slot": [slot.array for slot in slots] + [None] * (3 - len(slots)), "index": index, **constants(rule)},
        rows=rows if index is None else len(index),
        panels=panels,
        panel=rows * PANEL,
        done=done,
        steps=len(learning_rate),
        learning_rate=learning_rate,
        max_learning_rate=learning_rate.max(initial=0),
    )
    for array in guarded:
        array.check()
    return [array.array.copy() for array in guarded]


def check(rule, arrays, done, learning_rate, index=None, side="end"):
    touched = np.arange(arrays[0].shape[1]) if index is None else index
    late = np.full(len(done), len(learning_rate), np.uint32)
    late[touched] = done[touched]
    expected = one_by_one(ISAS[-1], rule, arrays, late, learning_rate)
    for isa in ISAS:
        for name, a, b in zip(
            ("w", "slot 0", "slot 1"), replayed(isa, rule, arrays, done, learning_rate, index, side), expected, strict=False
        ):
            assert same_bits(a, b), f"{isa}: {name}"


@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize("rule", LAZY_RULES.values(), ids=LAZY_RULES.keys())
def test_rows_that_are_late_by_any_number_of_steps_get_the_bits_of_every_single_one(rule, side):
    for panels in (1, 2, 4, 5):
        done = np.array([0, 1, 7, 40, 39, 23, 40, 12], np.uint32)
        check(rule, start(rule, len(done), panels), done, rates(40), side=side)


@pytest.mark.parametrize("rule", LAZY_RULES.values(), ids=LAZY_RULES.keys())
def test_rows_picked_by_an_index_move_and_no_others(rule):
    done = rng.integers(0, 30, 9).astype(np.uint32)
    check(rule, start(rule, 9, 3), done, rates(30), index=np.array([8, 0, 3, 5], np.int32))


@pytest.mark.parametrize("scale", [1.0, 1e-4])
@pytest.mark.parametrize("rule", LAZY_RULES.values(), ids=LAZY_RULES.keys())
def test_a_row_that_came_to_rest_has_the_bits_of_one_that_went_on(rule, scale):
    check(rule, start(rule, 2, 1, scale), np.zeros(2, np.uint32), rates(LONG))


@pytest.mark.parametrize("rule", LAZY_RULES.values(), ids=LAZY_RULES.keys())
def test_a_learning_rate_that_rises_wakes_nobody_too_late(rule):
    learning_rate = np.concatenate([rates(100, 1e-6), rates(60, 1.0)])
    check(rule, start(rule, 3, 1), np.zeros(3, np.uint32), learning_rate)


@pytest.mark.parametrize("rule", LAZY_RULES.values(), ids=LAZY_RULES.keys())
def test_zeros_keep_the_signs_they_would_have(rule):
    arrays = start(rule, 4, 1)
    for array in arrays:
        array[:, :, ::2] = 0.0
    for array in arrays[::2] if rule.kind == "rmsprop" else arrays[:2]:  # a mean square has no sign
        array[:, 1, ::4] = -0.0
    for steps in (1, 2, 17, 40):
        check(rule, arrays, np.zeros(4, np.uint32), rates(steps))


@pytest.mark.parametrize("beta_2", [0.9, 0.5, 0.05])
def test_adam_whose_mean_square_fades_as_fast_as_its_momentum(beta_2):
    for beta_1 in (0.0, 0.9, 0.99):
        rule = Update("adam", beta_1=beta_1, beta_2=beta_2)
        check(rule, start(rule, 2, 1), np.zeros(2, np.uint32), rates(200))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("panels", [1, 3, 4, 7])
def test_a_series_adds_up_what_it_says(isa, panels):
    steps, rows = 5, 6
    rule = Update("adam", epsilon=1e-3)
    arrays = start(rule, rows, panels)
    series, fade = (rng.uniform(0.1, 1, shape).astype(np.float32) for shape in ((steps, 4), (steps + 1, 2)))
    done = np.array([0, 5, 3, 4, 1, 2], np.uint32)
    w, m, v = guarded = [Guarded(array) for array in arrays]
    kernels(isa)["replay_adam"](
        update={"w": w.array, "slot": [m.array, v.array, None], **constants(rule)},
        rows=rows,
        panels=panels,
        panel=rows * PANEL,
        done=done,
        steps=steps,
        series=series,
        decay=fade,
    )
    for array in guarded:
        array.check()
    expected_w, expected_m, expected_v = (array.astype(np.float64) for array in arrays)
    for row in np.flatnonzero(done < steps):
        root = np.sqrt(expected_v[:, row])
        u = root / (root + rule.epsilon)
        expected_w[:, row] -= expected_m[:, row] / (root + rule.epsilon) * sum(series[done[row]][n] * u**n for n in range(4))
        expected_m[:, row] *= fade[steps - done[row]][0]
        expected_v[:, row] *= fade[steps - done[row]][1]
    for got, wanted in zip(guarded, (expected_w, expected_m, expected_v), strict=True):
        np.testing.assert_allclose(got.array, wanted, rtol=1e-5, atol=1e-6)

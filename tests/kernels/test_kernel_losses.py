"""Loss and accuracy kernels: against the formulas of the reference engine in float64, the same bits on every instruction set."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, fixed_sum, kernels, padded, round_up, same_bits
from loss_cases import LOGITS, PARAMETERS, constants_of, draw_predictions, draw_targets, fitting_columns

from fastmlp import _core, losses
from fastmlp._engine.spec import Metric
from fastmlp.reference.activations import ACTIVATIONS, sigmoid
from fastmlp.reference.losses import LOGIT_LOSSES, LOSSES, make_loss
from fastmlp.reference.metrics import METRICS, make_metric

softmax = ACTIVATIONS["softmax"].forward

SHAPES = [(rows, cols) for rows in (1, 7, 9, 17) for cols in (*range(1, 10), 15, 16, 17, 18, 31, 32, 33)] + [(40, 10), (5, 1000)]
SCALE = np.float32(0.125)

KERNELS = list(_core.LOSSES)
FROM_LOGITS = [name for name in KERNELS if name.endswith(LOGITS)]
ACCURACIES = [name for name in KERNELS if name.endswith("accuracy")]
WITH_HITS = [name for name in KERNELS if "crossentropy" in name]
OVERLAPS = ["dice", "tversky"]
PAIRS = "sparse_circle"
OTHERS = ("kl_divergence", "cosine_similarity", "gaussian_nll", *OVERLAPS, PAIRS)
MEANS = [name for name in KERNELS if "categorical" not in name and name not in OTHERS]
THRESHOLD = 0.375


def shapes(name):
    return [(rows, cols) for rows, cols in SHAPES if cols == fitting_columns(name, cols)]


def make(name, rows, cols, seed=0):
    """Predictions, targets and weights that suit a loss."""
    rng = np.random.default_rng([seed, rows, cols])
    x = draw_predictions(name, rng, rows, cols).astype(np.float32)
    y = draw_targets(name, rng, rows, cols)
    return x, y if y.dtype == np.int32 else y.astype(np.float32), rng.uniform(0.5, 2, rows).astype(np.float32)


def run(isa, name, x, y, weight=None, side="end", onto_x=False, want=("grad", "probs", "hit"), scale=SCALE):
    """Calls a kernel with every array between guards; returns what it wrote by name, without the padding, which is checked to be zero."""
    rows, cols = x.shape
    width = round_up(cols)
    guarded = {"x": Guarded(padded(x), side), "loss": Guarded(np.full(rows, 7, np.float32), side)}
    fields = {"rows": rows, "cols": cols, "scale": scale, "threshold": THRESHOLD, "x_row": width, "parameter": constants_of(name)}
    if name.startswith("sparse"):
        guarded["labels"] = Guarded(y, side)
    else:
        guarded["y"] = Guarded(padded(y), side)
        fields["y_row"] = round_up(y.shape[1])
    if weight is not None:
        guarded["weight"] = Guarded(weight, side)
    if name == PAIRS:
        guarded["room"] = Guarded(np.full(3 * round_up(rows), 7, np.float32), side)
    possible = {"grad": name not in ACCURACIES, "probs": name in FROM_LOGITS, "hit": name in WITH_HITS}
    wanted = [output for output in want if possible[output]]
    for output in wanted:
        if output == "hit":
            guarded["hit"] = Guarded(np.full(rows, 7, np.float32), side)
        else:
            guarded[output] = guarded["x"] if onto_x and output == "grad" else Guarded(np.full((rows, width), 7, np.float32), side)
            fields[f"{output}_row"] = width
    kernels(isa)[f"loss_{name}"](**fields, **{field: memory.array for field, memory in guarded.items()})
    results = {}
    for field, memory in guarded.items():
        memory.check()
        if field in ("loss", *wanted):
            result = memory.array
            if result.ndim == 2:
                assert (result[:, cols:] == 0).all()
                result = result[:, :cols]
            results[field] = result.copy()
    return results


def alike(results):
    """The results of several runs, which must agree to the last bit."""
    for other in results[1:]:
        assert other.keys() == results[0].keys()
        assert all(same_bits(results[0][key], other[key]) for key in other)
    return results[0]


def expected(name, x, y, weight):
    """The same from the reference engine's formulas in float64."""
    x, y = x.astype(np.float64), y if y.dtype == np.int32 else y.astype(np.float64)
    weight = np.ones(len(x)) if weight is None else weight.astype(np.float64)
    if name in ACCURACIES:
        return {"loss": weight * make_metric(Metric(name, threshold=THRESHOLD))(y, x)}
    loss = make_loss(name.removesuffix(LOGITS), name in FROM_LOGITS, constants_of(name))
    result = {"loss": weight * loss.value(y, x), "grad": loss.weighted_gradient(y, x, weight * SCALE)}
    if name in WITH_HITS:
        accuracy = name.removesuffix(LOGITS).replace("_focal", "").replace("crossentropy", "accuracy")
        probability = x if name not in FROM_LOGITS else sigmoid(x) if name.startswith("binary") else softmax(x)
        result["hit"] = METRICS[accuracy](y, probability, 0.5)
        if name in FROM_LOGITS:
            result["probs"] = probability
    return result


def assert_close(results, wanted):
    assert results.keys() == wanted.keys()
    for key, values in wanted.items():
        np.testing.assert_allclose(results[key], values, rtol=3e-6, atol=2e-6, err_msg=key)


@pytest.mark.parametrize("name", OVERLAPS)
def test_an_overlap_of_the_whole_batch_is_the_value_of_every_row(name, monkeypatch):
    monkeypatch.setitem(PARAMETERS, name, (*PARAMETERS[name][:2], 0.0))
    for rows, cols in shapes(name):
        for weighted in (False, True):
            x, y, weight = make(name, rows, cols)
            weight = weight if weighted else None
            results = alike([run(isa, name, x, y, weight, side) for isa in ISAS for side in ("end", "start")])
            assert_close(results, expected(name, x, y, weight))
            if not weighted:
                assert len(np.unique(results["loss"])) == 1


def test_every_loss_of_the_manifest_has_a_formula_to_compare_with():
    assert set(KERNELS) == set(LOSSES) | {name + LOGITS for name in LOGIT_LOSSES} | set(METRICS)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", KERNELS)
def test_losses_gradients_probabilities_and_hits_of_any_shape(name, weighted):
    for rows, cols in shapes(name):
        x, y, weight = make(name, rows, cols)
        weight = weight if weighted else None
        results = alike([run(isa, name, x, y, weight, side) for isa in ISAS for side in ("end", "start")])
        assert_close(results, expected(name, x, y, weight))


@pytest.mark.parametrize("name", [name for name in KERNELS if name not in (*ACCURACIES, PAIRS)])
def test_the_gradient_may_take_the_place_of_the_predictions(name):
    for rows, cols in shapes(name):
        x, y, weight = make(name, rows, cols, seed=1)
        alike([run(isa, name, x, y, weight, onto_x=onto_x) for isa in ISAS for onto_x in (False, True)])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", KERNELS)
def test_what_is_not_wanted_changes_nothing_else(isa, name):
    for rows, cols in shapes(name):
        x, y, weight = make(name, rows, cols, seed=2)
        everything = run(isa, name, x, y, weight)
        for want in ((), ("grad",), ("probs",), ("hit",), ("grad", "hit"), ("probs", "hit")):
            some = run(isa, name, x, y, weight, want=want)
            assert all(same_bits(everything[key], some[key]) for key in some)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", MEANS)
def test_means_add_their_columns_in_the_fixed_order(isa, name):
    for rows, cols in shapes(name):
        x, y, _ = make(name, rows, cols)
        terms = run(isa, name, x.reshape(-1, 1), y.reshape(-1, 1))["loss"].reshape(rows, cols)
        assert same_bits(run(isa, name, x, y)["loss"], fixed_sum(terms) / np.float32(cols))


@pytest.mark.parametrize("isa", ISAS)
def test_softmax_losses_add_their_exponentials_in_the_fixed_order(isa):
    def apply(function, values):
        out = np.empty_like(values)
        kernels(isa)[function](n=values.size, x=values, out=out)
        return out

    name = "sparse_categorical_crossentropy_from_logits"
    for rows, cols in SHAPES:
        x, labels, _ = make(name, rows, cols)
        relative = x - x.max(axis=1, keepdims=True)
        expected = apply("log", fixed_sum(apply("exp", relative))) - relative[np.arange(rows), labels]
        assert same_bits(run(isa, name, x, labels)["loss"], expected)


@pytest.mark.parametrize("name", ["categorical_crossentropy", "categorical_crossentropy_from_logits", "categorical_accuracy"])
def test_integer_labels_give_the_bits_of_one_hot_targets(name):
    for rows, cols in SHAPES:
        x, labels, weight = make(f"sparse_{name}", rows, cols)
        one_hot = np.eye(cols, dtype=np.float32)[labels]
        for isa in ISAS:
            alike([run(isa, name, x, one_hot, weight), run(isa, f"sparse_{name}", x, labels, weight)])


@pytest.mark.parametrize("isa", ISAS)
def test_huge_logits_give_finite_losses_and_gradients(isa):
    x = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4]], np.float32)
    labels = np.array([0, 0], np.int32)
    results = run(isa, "sparse_categorical_crossentropy_from_logits", x, labels, scale=1)
    assert results["loss"].tolist() == [0, pytest.approx(2e4 + np.log(2))]
    assert results["grad"].tolist() == [[0, 0, 0], [-1, 0.5, 0.5]]
    y = np.array([[1, 0, 1], [1, 0, 0]], np.float32)
    results = run(isa, "binary_crossentropy_from_logits", x, y, scale=3)
    assert results["loss"] == pytest.approx([np.log(2) / 3, 1e4])
    assert results["grad"].tolist() == [[0, 0, -0.5], [-1, 1, 1]]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_infinite_logits_of_yes_and_no_cost_nothing_or_infinitely_much(isa, rows):
    inf = np.inf
    cases = [(inf, 1, 0, 0), (-inf, 0, 0, 0), (inf, 0, inf, 1), (-inf, 1, inf, -1), (inf, 0.25, inf, 0.75), (-inf, 0.25, inf, -0.25)]
    for x, y, loss, slope in cases:
        beside = np.float32(0.5)
        logits, targets = np.full((rows, 2), [x, beside], np.float32), np.full((rows, 2), [y, 1], np.float32)
        results = run(isa, "binary_crossentropy_from_logits", logits, targets, scale=2)
        expected = (loss + np.log1p(np.exp(-beside))) / 2
        assert results["loss"] == pytest.approx(np.full(rows, expected))
        assert results["grad"][:, 0].tolist() == [slope] * rows
        assert results["probs"][:, 0].tolist() == [float(x > 0)] * rows
        with np.errstate(invalid="ignore"):
            reference = make_loss("binary_crossentropy", True, (), 0.0)
            assert reference.value(targets.astype(float), logits.astype(float)) == pytest.approx(np.full(rows, expected))
            assert reference.weighted_gradient(targets, logits, np.full(rows, 2.0))[:, 0].tolist() == [slope] * rows
        assert losses.BinaryCrossentropy(from_logits=True)(targets, logits) == pytest.approx(expected)
    smoothed = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    assert smoothed([[1.0]], [[inf]]) == inf
    assert np.isnan(losses.BinaryCrossentropy(from_logits=True)([[1.0]], [[np.nan]]))


@pytest.mark.parametrize("isa", ISAS)
def test_small_losses_keep_their_digits(isa):
    x = np.array([[30, 15]], np.float32)
    loss = run(isa, "sparse_categorical_crossentropy_from_logits", x, np.array([0], np.int32))["loss"]
    assert loss == pytest.approx([2.0**-23 * round(np.exp(-15) * 2**23)], rel=1e-6)  # log(1 + e⁻¹⁵), the sum rounded to float32
    loss = run(isa, "binary_crossentropy_from_logits", np.array([[20]], np.float32), np.array([[1]], np.float32))["loss"]
    assert loss == pytest.approx([np.log1p(np.exp(-20))], rel=2e-7)


@pytest.mark.parametrize("isa", ISAS)
def test_certain_probabilities_are_clipped_and_have_no_gradient(isa):
    y = np.array([[1, 0, 1, 0]], np.float32)
    x = np.array([[0, 1, 1, 0]], np.float32)
    results = run(isa, "binary_crossentropy", x, y, scale=1)
    assert results["loss"] == pytest.approx([(-np.log(1e-7) - np.log(2.0**-23) - np.log(1 - 2.0**-23) + 1e-7) / 4])
    assert results["grad"].tolist() == [[0, 0, 0, 0]]
    results = run(isa, "categorical_crossentropy", np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32), scale=1)
    assert results["loss"] == pytest.approx([-np.log(1e-7)])
    assert results["grad"].tolist() == [[0, 0]]


@pytest.mark.parametrize("isa", ISAS)
def test_an_exact_prediction_has_absolute_error_and_slope_zero(isa):
    x = np.array([[1, 2, -3]], np.float32)
    results = run(isa, "mean_absolute_error", x, x + np.array([[0, 1, -1]], np.float32), scale=3)
    assert results["loss"] == pytest.approx([2 / 3])
    assert results["grad"].tolist() == [[0, -1, 1]]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cols", [3, 8, 20])
def test_of_equal_columns_the_first_is_the_largest(isa, cols):
    x = np.zeros((3, cols), np.float32)
    x[2, 1:] = 1
    labels = np.array([0, cols - 1, 1], np.int32)
    assert run(isa, "sparse_categorical_accuracy", x, labels)["loss"].tolist() == [1, 0, 1]
    y = np.ones((3, cols), np.float32)
    y[2, 0] = 0
    assert run(isa, "categorical_accuracy", x, y)["loss"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("isa", ISAS)
def test_a_prediction_at_the_threshold_counts_as_zero(isa):
    x = np.array([[THRESHOLD, 0.5, 0.25]], np.float32)
    assert run(isa, "binary_accuracy", x, np.array([[0, 1, 0]], np.float32))["loss"].tolist() == [1]
    assert run(isa, "binary_crossentropy", x, np.array([[0, 0, 0]], np.float32))["hit"].tolist() == [1]


@pytest.mark.parametrize("isa", ISAS)
def test_nan_in_a_row_makes_the_loss_of_all_that_are_compared_with_it_nan(isa):
    x, y, _ = make(PAIRS, 9, 6)
    x[3, 1] = np.nan
    assert np.isnan(run(isa, PAIRS, x, y)["loss"]).all()


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_a_loss_of_pairs_of_many_rows_is_that_of_the_formula(weighted, monkeypatch):
    for rows, parameters in ((1, (4.0, 0.25, 0.0)), (2, (80.0, 0.4, 1.0)), (130, (4.0, 0.25, 0.0)), (130, (20.0, 0.4, 1.0))):
        monkeypatch.setitem(PARAMETERS, PAIRS, parameters)
        x, _, weight = make(PAIRS, rows, 21)
        y = np.random.default_rng(rows).integers(-(2**31), 2**31 - 1, 4, np.int32)[np.arange(rows) % 4]
        results = alike([run(isa, PAIRS, x, y, weight if weighted else None) for isa in ISAS])
        wanted = expected(PAIRS, x, y, weight if weighted else None)
        np.testing.assert_allclose(results["loss"], wanted["loss"], rtol=2e-5, atol=1e-5)
        np.testing.assert_allclose(results["grad"], wanted["grad"], rtol=1e-4, atol=2e-5 * max(np.abs(wanted["grad"]).max(), 1e-3))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", [name for name in KERNELS if name not in (*ACCURACIES, PAIRS)])
def test_nan_in_a_row_makes_that_row_loss_nan_and_no_other(isa, name):
    x, y, _ = make(name, 9, 6)
    clean = run(isa, name, x, y)["loss"]
    x[3, y[3] if name == "sparse_categorical_generalized_cross_entropy" else 1] = np.nan  # which looks at the label's column alone
    loss = run(isa, name, x, y)["loss"]
    assert np.isnan(loss[3])
    assert same_bits(np.delete(loss, 3), np.delete(clean, 3))


@pytest.mark.parametrize("cols", [3, 15, 16, 17, 40])
def test_a_logit_of_minus_infinity_is_a_class_that_costs_nothing_where_it_is_not_the_target(cols):
    rng = np.random.default_rng(cols)
    x = rng.standard_normal((9, cols)).astype(np.float32)
    labels = rng.integers(1, cols, 9).astype(np.int32)
    possible = x.copy()
    possible[:, 0], x[:, 0] = -200, -np.inf
    x[8, labels[8]] = possible[8, labels[8]] = -np.inf
    one_hot = np.eye(cols, dtype=np.float32)[labels]
    for isa in ISAS:
        for name, y in (("sparse_categorical_crossentropy_from_logits", labels), ("categorical_crossentropy_from_logits", one_hot)):
            got, wanted = run(isa, name, x, y), run(isa, name, possible, y)
            assert same_bits(got["loss"][:8], wanted["loss"][:8])
            assert same_bits(got["grad"][:8], wanted["grad"][:8])
            assert got["loss"][8] == np.inf
    reference = make_loss("categorical_crossentropy", True, (), 0.0)
    with np.errstate(invalid="ignore"):
        assert reference.value(one_hot, x.astype(float)) == pytest.approx(reference.value(one_hot, possible.astype(float)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cols", [3, 16, 17])
@pytest.mark.parametrize("values", [[np.inf], [np.nan], [-np.inf] * 40], ids=["+inf", "NaN", "-inf everywhere"])
def test_logits_without_a_softmax_have_no_loss(isa, cols, values):
    x = np.zeros((1, cols), np.float32)
    x[0, : len(values)] = values[:cols]
    for name, y in (
        ("sparse_categorical_crossentropy_from_logits", np.array([1], np.int32)),
        ("categorical_crossentropy_from_logits", np.eye(cols, dtype=np.float32)[[1]]),
    ):
        assert np.isnan(run(isa, name, x, y)["loss"]).all()

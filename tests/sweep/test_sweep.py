"""``fastmlp.sweep``: every combination of a grid, the same numbers however they are computed, compared in a table."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sweep_cases import GRID, TEST, TRAIN, build, lines, numbers, run

import fastmlp
from fastmlp import layers, metrics, models, optimizers, sweep, utils
from fastmlp.sweep.grid import combinations

# The numbers


def test_every_combination_is_trained_with_every_seed(expected):
    assert [(about["units"], about["learning_rate"], about["epochs"], seed) for about, seed, _ in expected] == [
        (units, rate, epochs, seed) for units in (2, 8) for rate in (0.01, 0.1) for epochs in (1, 3) for seed in (0, 1)
    ]
    assert len({about["validation_loss"] for _, _, about in expected}) == 16


def test_a_run_is_what_the_same_program_gives_without_a_sweep(expected):
    about, seed, found = expected[-1]
    utils.set_random_seed(seed)
    model = build(about["units"], about["learning_rate"])
    model.fit(*TRAIN, epochs=about["epochs"], verbose=0)
    for part, data in (("validation", TEST), ("train", TRAIN)):
        alone = model.evaluate(*data, verbose=0, return_dict=True)
        assert (found[f"{part}_loss"], found[f"{part}_accuracy"]) == (alone["loss"], alone["accuracy"])
    assert found["parameters"] == model.count_params() == 8 * 3 + 9 * 2


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 2}, {"workers": 5}, {"start_method": "fork"}], ids=str)
def test_the_bits_do_not_depend_on_who_computes_them(options, expected):
    assert numbers(run(**options)) == expected


def test_workers_that_start_anew_compute_the_same_bits(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from fastmlp import layers, models, sweep\n"
        "from fastmlp.datasets import moons\n"
        "def build(units):\n"
        "    model = models.Sequential([layers.Dense(units, activation='tanh', input_shape=(2,)), layers.Dense(2, activation='softmax')])\n"
        "    model.compile('adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
        "if __name__ == '__main__':\n"
        "    found = []\n"
        "    for method in ('fork', 'forkserver', 'spawn'):\n"
        "        results = sweep.run(build, {'units': [2, 4], 'epochs': 2}, *moons.load_data(), seeds=2, verbose=0, start_method=method)\n"
        "        found.append([(run.numbers['validation_loss'], run.numbers['train_accuracy']) for run in results.runs])\n"
        "    print(len(found[0]), found[0] == found[1] == found[2])\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("4 True\n", "")


def test_runs_that_differ_in_their_epochs_are_one_training_with_the_bits_of_several(expected):
    apart = run([{**GRID, "epochs": [1]}]).runs + run([{**GRID, "epochs": [3]}]).runs
    apart = {(*map(str, run.combination.values()), run.seed): run.numbers for run in apart}
    for about, seed, found in expected:
        assert {**apart[(*map(str, about.values()), seed)], "seconds": 0} == {**found, "seconds": 0}


def test_a_build_that_asks_for_the_epochs_gets_them_and_each_number_is_a_training_of_its_own():
    def build_for(epochs, batch_size):
        model = build(4)
        rate = optimizers.schedules.CosineDecay(0.1, decay_steps=epochs * math.ceil(160 / batch_size))
        model.compile(optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    short, long = run({"epochs": [2, 4], "batch_size": 16}, build_for, seeds=1).runs
    assert run({"epochs": 2, "batch_size": 16}, build_for, seeds=1).runs[0].numbers["validation_loss"] == short.numbers["validation_loss"]
    assert run({"epochs": 4, "batch_size": 16}, build_for, seeds=1).runs[0].numbers["validation_loss"] == long.numbers["validation_loss"]


def test_batch_sizes_reach_fit():
    few, many = run({"units": 4, "batch_size": [8, 160], "epochs": 3}).runs[::2]
    utils.set_random_seed(0)
    model = build(4)
    model.fit(*TRAIN, epochs=3, batch_size=8, verbose=0)
    assert few.numbers["validation_loss"] == model.evaluate(*TEST, verbose=0)[0] != many.numbers["validation_loss"]


def test_a_seed_list_chooses_the_seeds(expected):
    alone = numbers(run(seeds=[1]))
    assert alone == [entry for entry in expected if entry[1] == 1]


def test_the_caller_s_names_randomness_and_threads_are_left_alone():
    fastmlp.set_num_threads(2)
    try:
        utils.set_random_seed(5)
        utils.clear_session()
        untouched = layers.Dense(3, input_shape=(2,))
        weights = models.Sequential([untouched]).get_weights()[0]
        utils.set_random_seed(5)
        utils.clear_session()
        run({"units": 2, "epochs": 1})
        after = layers.Dense(3, input_shape=(2,))
        assert (models.Sequential([after]).get_weights()[0] == weights).all()
        assert after.name == untouched.name
        assert fastmlp.get_num_threads() == 2
    finally:
        fastmlp.set_num_threads(1)


def test_sparse_rows_and_functions_of_the_user_s_own_can_be_swept(file):
    rng = np.random.default_rng(0)
    x = csr_matrix(rng.integers(0, 2, (100, 30)) * rng.integers(0, 2, (100, 30)))
    y = np.asarray(x[:, 0].toarray())[:, 0]
    losses = []
    for _ in range(2):

        def absolute(y_true, y_pred):
            return np.abs(y_pred - y_true).mean(axis=-1), np.sign(y_pred - y_true) / y_pred.shape[-1]

        def network(units):
            model = models.Sequential([layers.Dense(units, activation="tanh"), layers.Dense(1)])
            model.compile("adam", loss=absolute)
            return model

        results = run({"units": [2, 4], "epochs": 2}, network, (x, y), (x, y), out=file)
        losses.append([run.numbers["validation_loss"] for run in results.runs])
    assert losses[0] == losses[1]
    assert len(lines(file)) == 5


# Results


def test_rows_are_means_and_deviations_best_first():
    results = run()
    accuracies = [row.mean("validation_accuracy") for row in results]
    assert accuracies == sorted(accuracies, reverse=True)
    assert results.best is results[0]
    for row in results:
        values = [run.numbers["validation_loss"] for run in row.runs]
        assert len(values) == 2
        assert row.mean("validation_loss") == pytest.approx(np.mean(values), rel=1e-12)
        assert row.deviation("validation_loss") == pytest.approx(np.std(values, ddof=1), rel=1e-9)
    losses = [row.mean("validation_loss") for row in results.sorted("validation_loss")]
    assert losses == sorted(losses)
    assert [row.mean("validation_loss") for row in results.sorted("validation_loss", reverse=True)] == losses[::-1]
    with pytest.raises(ValueError, match=r"there is no column 'loss'; the columns are validation_loss, validation_accuracy, train_loss"):
        results.sorted("loss")


def test_a_printed_sweep_is_a_table_of_what_varies_and_what_came_out():
    results = run({"units": [2, 8], "activation": "tanh", "epochs": 2})
    head, *rows = str(results).splitlines()
    assert head.split("  ")[0] == "units"
    for title in ("validation accuracy", "validation loss", "train accuracy", "parameters", "seconds"):
        assert title in head
    assert "activation" not in head
    assert len(rows) == 2
    assert rows[0].startswith(str(results.best.combination["units"]))
    assert f"{results.best.mean('validation_accuracy'):.4f} ± {results.best.deviation('validation_accuracy'):.4f}" in rows[0]
    table = results.markdown().splitlines()
    assert table[:2] == [
        "| units | validation accuracy | validation loss | train accuracy | parameters | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    assert len(table) == 4
    assert repr(results) == "<2 combinations in 4 runs>"


def test_models_without_an_accuracy_are_ranked_by_their_loss():
    def regression(units):
        model = models.Sequential([layers.Dense(units, activation="tanh", input_shape=(2,)), layers.Dense(1)])
        model.compile("adam", loss="mse", metrics=["mae"])
        return model

    results = run({"units": [1, 8], "epochs": [1, 30]}, regression)
    assert results.score == "validation_loss"
    losses = [row.mean("validation_loss") for row in results]
    assert losses == sorted(losses)
    assert results.header()[2:5] == ["validation mae", "validation loss", "train mae"]


def test_a_run_that_diverges_is_a_result_and_comes_last(file):
    for _ in range(2):  # trained, and read from the file
        results = run({"units": [4], "learning_rate": [1e25, 0.01], "epochs": [2, 4]}, out=file)
        assert [row.diverged for row in results] == [False, False, True, True]
        assert math.isnan(results[3].mean("validation_accuracy"))
        assert math.isnan(results[3].deviation("validation_accuracy"))
        assert str(results).splitlines()[-1].count("diverged") == 3


# The grid


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ([], "the grid is empty"),
        ({"units": [2]}, "the grid has no 'epochs'; add it, such as 'epochs': [20, 100], or 'epochs': 50 for all combinations"),
        ({"units": [], "epochs": 1}, "the grid has no value for 'units'"),
        ({"units": [2, 4, 2], "epochs": 1}, "the grid has units 2, epochs 1 twice"),
        ({"units": 2, "epochs": 0}, "epochs must be an integer ≥ 1, got 0"),
        ({"seed": [1, 2], "epochs": 1}, "'seed' can't be a name in the grid"),
        ({"test_units": [1, 2], "epochs": 1}, "'test_units' can't be a name in the grid"),
        ([{"units": 2, "epochs": 1}, {"width": 2, "epochs": 1}], "all grids must have the same names, got units, epochs and width, epochs"),
    ],
)
def test_a_grid_that_makes_no_sense_is_an_error_before_anything_starts(grid, message, file):
    with pytest.raises(ValueError, match=message.replace("[", r"\[").replace("]", r"\]")):
        run(grid, out=file)
    assert not file.exists()


def test_a_list_holds_values_and_a_tuple_is_one():
    found = combinations({"hidden": [(16,), (64, 64)], "rate": np.array([0.1, 0.2]), "shape": (3, 4), "epochs": range(1, 3)})
    assert len(found) == 8
    assert found[0] == {"hidden": (16,), "rate": 0.1, "shape": (3, 4), "epochs": 1}
    assert found[-1] == {"hidden": (64, 64), "rate": 0.2, "shape": (3, 4), "epochs": 2}


def test_several_grids_are_swept_one_after_another():
    found = combinations([{"units": [2, 4], "epochs": 1}, {"epochs": 5, "units": 8}])
    assert found == [{"units": 2, "epochs": 1}, {"units": 4, "epochs": 1}, {"units": 8, "epochs": 5}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds must be an integer ≥ 1, got 0"),
        ({"seeds": [1, 1]}, r"seeds must be one or more distinct integers from 0 to 2\*\*32 - 1, got \[1, 1\]"),
        ({"seeds": []}, "seeds must be one or more distinct integers"),
        ({"workers": 0}, "workers must be an integer ≥ 1, got 0"),
        ({"start_method": "thread"}, "start_method must be one of fork, forkserver, spawn, or None, got 'thread'"),
        ({"verbose": 3}, "verbose must be 0, 1 or 'auto', got 3"),
        ({"train": TRAIN[0]}, r"train must be a pair \(x, y\)"),
    ],
)
def test_arguments_that_make_no_sense_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        run(**options)


def test_a_progress_line_is_drawn_unless_it_is_not_wanted(capsys):
    run({"units": 2, "epochs": [1, 2]}, verbose=1)
    assert re.fullmatch(r"4/4 ━+ \d+s \S+/run - validation_loss: [\d.]+ - validation_accuracy: [\d.]+\n", capsys.readouterr().out)
    run({"units": 2, "epochs": [1, 2]}, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_a_worker_has_one_thread():
    def counting(units):
        assert fastmlp.get_num_threads() == 1
        return build(units)

    assert len(run({"units": [2], "epochs": 1}, counting).runs) == 2


# What goes wrong in a worker


def test_a_mistake_in_build_comes_at_once_and_says_with_which_values(file):
    def typo(units, activation):
        return build(units, activation=activation)

    with pytest.raises(ValueError, match="unknown activation 'rleu'") as caught:
        run({"units": [2, 3], "activation": ["relu", "rleu"], "epochs": 10**6}, typo, out=file)
    assert caught.value.__notes__ == ["build was called with units 2, activation rleu"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        run({"width": [2, 3], "epochs": 10**6})


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda units: None, "build must return a compiled model, but returned None"),
        (
            lambda units: models.Sequential([layers.Dense(2, input_shape=(2,))]),
            "build must return a compiled model, but returned a model that is not compiled",
        ),
    ],
)
def test_a_build_that_gives_no_compiled_model_is_an_error(returned, message):
    with pytest.raises(TypeError, match=message):
        run({"units": 2, "epochs": 1}, returned)


def test_data_that_do_not_fit_the_model_end_the_sweep():
    with pytest.raises(ValueError, match="x has 3 features, but the first layer expects 2"):
        run(train=(np.ones((10, 3)), np.ones(10)))


def test_a_worker_that_is_killed_ends_the_sweep_and_not_the_file(file):
    def deadly(units):
        if units == 8 and lines(file)[1:]:
            os.kill(os.getpid(), signal.SIGKILL)
        return build(units)

    run({"units": [2], "epochs": [1]}, out=file, seeds=1)
    # Identifying a model kills the worker that does it.
    with pytest.raises(RuntimeError, match=r"a worker process died: it was killed, perhaps because memory ran out"):
        run({"units": [2, 8], "epochs": [1]}, deadly, out=file, seeds=1)
    assert len(run({"units": [2, 8], "epochs": [1]}, out=file, seeds=1).runs) == 2


# Validation, test, and what is best


def measured(*chosen, loss="sparse_categorical_crossentropy"):
    def build_it(units, learning_rate=0.1):
        model = models.Sequential([layers.Dense(units, activation="tanh", input_shape=(2,)), layers.Dense(2, activation="softmax")])
        model.compile(optimizers.Adam(learning_rate), loss, metrics=[metric() for metric in chosen])
        return model

    return build_it


ONE_HOT = {"train": (TRAIN[0], utils.to_categorical(TRAIN[1])), "validation": (TEST[0], utils.to_categorical(TEST[1]))}


def test_the_best_combination_is_measured_on_test_samples_that_no_comparison_saw():
    validation, test = (TEST[0][::2], TEST[1][::2]), (TEST[0][1::2], TEST[1][1::2])
    results = run(validation=validation, test_data=test)
    assert results.test.combination == results.best.combination
    assert list(results.test.runs[0].numbers) == ["test_loss", "test_accuracy"]
    utils.set_random_seed(1)
    model = build(results.best.combination["units"], results.best.combination["learning_rate"])
    model.fit(*TRAIN, epochs=results.best.combination["epochs"], verbose=0)
    assert results.test.runs[1].numbers["test_loss"] == model.evaluate(*test, verbose=0)[0]
    assert numbers(results) == numbers(run(validation=validation, test_data=(test[0], 1 - test[1])))
    assert run(grid={"units": 2, "epochs": 1}).test is None


def test_the_old_name_of_the_validation_samples_warns():
    with pytest.warns(UserWarning, match="has been renamed to validation"):
        results = sweep.run(build, {"units": 2, "epochs": 1}, TRAIN, test=TEST, seeds=1, verbose=0)
    assert "validation_loss" in results.columns
    with pytest.raises(ValueError, match=r"there is no column 'test_loss'; the columns are validation_loss, .*start with validation_"):
        results.sorted("test_loss")
    with pytest.raises(TypeError, match="needs training and validation data"):
        sweep.run(build, {"units": 2, "epochs": 1}, TRAIN)


@pytest.mark.parametrize(
    ("metric", "column"),
    [
        (metrics.AUC, "validation_auc"),
        (metrics.Precision, "validation_precision"),
        (lambda: metrics.F1Score("macro"), "validation_f1_score"),
    ],
)
def test_of_metrics_where_higher_is_better_the_highest_is_best(metric, column):
    build_it = measured(metric, loss="categorical_crossentropy")
    results = run({"units": [1, 4, 16], "learning_rate": [0.0001, 0.05], "epochs": 3}, build_it, **ONE_HOT, seeds=1)
    values = [row.mean(column) for row in results]
    assert results.score == column
    assert values == sorted(values, reverse=True) != sorted(values)
    assert [row.mean("validation_loss") for row in results.sorted("validation_loss")] == sorted(
        row.mean("validation_loss") for row in results
    )
    assert run({"units": 1, "epochs": 1}, build_it, **ONE_HOT, seeds=1, monitor="validation_loss").score == "validation_loss"


def test_a_metric_with_several_values_has_a_column_for_each(file):
    build_it = measured(lambda: metrics.F1Score(name="f1"), loss="categorical_crossentropy")
    options = {"grid": {"units": [1, 4], "epochs": 2}, "build": build_it, **ONE_HOT, "seeds": 1, "out": file}
    results = run(**options)
    assert results.columns[:3] == ["validation_loss", "validation_f1_0", "validation_f1_1"]
    values = [row.mean("validation_f1_1") for row in results.sorted("validation_f1_1")]
    assert values == sorted(values, reverse=True)
    assert numbers(run(**options)) == numbers(results)


def test_combinations_without_a_number_are_last():
    def results(*values):
        runs = [sweep.Run({"units": k}, 0, {"validation_loss": 1.0, "validation_auc": value}) for k, value in enumerate(values)]
        return sweep.Results(runs, 1, higher_is_better={"auc": True})

    assert [row.combination["units"] for row in results(math.nan, 0.5, 0.9, math.nan)] == [2, 1, 0, 3]
    assert [row.combination["units"] for row in results(math.nan, 0.5, 0.9).sorted("validation_auc", reverse=False)] == [1, 2, 0]

"""BackupAndRestore where batches come from generators and data sets, and metrics are computed from predictions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastmlp import callbacks, layers, metrics, models, utils

X = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
Y = np.eye(3, dtype=np.float32)[np.arange(70) % 3]
AREAS = metrics.AUC(multi_label=True, name="areas")
NUMBERS = ["AUC", "Precision", "TruePositives", "R2Score", "RootMeanSquaredError", metrics.F1Score(), AREAS]


class Killed(BaseException):
    """Stands for a kill."""


class Killer(callbacks.Callback):
    """Kills before a batch, counted over all epochs."""

    def __init__(self, batch):
        self.left = batch

    def on_train_batch_begin(self, batch, logs=None):
        self.left -= 1
        if self.left < 0:
            raise Killed


def batch(number):
    part = slice(10 * number, 10 * number + 10)
    return X[part], Y[part]


def generator():
    for number in itertools.count():
        yield batch(number % 7)


class Dataset(utils.PyDataset):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        return batch(index)


class Loader:
    """A DataLoader as far as fit looks."""

    def __iter__(self):
        return map(batch, range(7))


Loader.__name__, Loader.__module__ = "DataLoader", "torch.utils.data"

SOURCES = {
    "arrays": (lambda: X, {"y": Y, "batch_size": 10}),
    "generator": (generator, {"steps_per_epoch": 5}),
    "data set": (Dataset, {}),
    "data set with steps": (Dataset, {"steps_per_epoch": 7}),
    "loader": (Loader, {}),
    "loader with steps": (Loader, {"steps_per_epoch": 7}),
}


def run(source, *listeners, seed=1, watched=NUMBERS):
    """The program that is run, killed and run again."""
    make, options = SOURCES[source]
    utils.set_random_seed(seed)
    model = models.Sequential([layers.Dense(8, activation="relu", input_shape=(3,)), layers.Dropout(0.3), layers.Dense(3, "softmax")])
    weighted = [metrics.Recall(top_k=2, name="among two")]
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=watched, weighted_metrics=weighted)
    history = model.fit(make(), epochs=4, verbose=0, callbacks=list(listeners), **options)
    return model, history


@pytest.mark.parametrize("save_freq", ["epoch", 2])
@pytest.mark.parametrize("source", SOURCES)
def test_a_killed_training_that_is_run_again_ends_with_the_same_bits(source, save_freq, tmp_path):
    whole, expected = run(source)
    with pytest.raises(Killed):
        run(source, callbacks.BackupAndRestore(tmp_path, save_freq), Killer(11))
    model, history = run(source, callbacks.BackupAndRestore(tmp_path, save_freq), seed=2)
    assert [weight.tobytes() for weight in model.get_weights()] == [weight.tobytes() for weight in whole.get_weights()]
    first = history.epoch[0]
    assert first > 0
    for name, values in history.history.items():
        np.testing.assert_array_equal(values, expected.history[name][first:], err_msg=name)


def test_what_a_metric_of_ones_own_had_added_up_is_missed_with_a_warning(tmp_path):
    class Count(metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            self.rows += len(y_pred)

        def reset_state(self):
            self.rows = 0

        def result(self):
            return self.rows

    with pytest.raises(Killed):
        run("arrays", callbacks.BackupAndRestore(tmp_path, 2), Killer(11), watched=[Count(name="count")])
    with pytest.warns(UserWarning, match="the state of the custom metric count can't be restored"):
        _, history = run("arrays", callbacks.BackupAndRestore(tmp_path, 2), watched=[Count(name="count")])
    assert history.history["count"] == [40, 70, 70]  # 3 of the 7 batches of epoch 1 were done


def test_a_backup_of_other_batches_is_an_error(tmp_path):
    with pytest.raises(Killed):
        run("data set", callbacks.BackupAndRestore(tmp_path, 2), Killer(3))
    with pytest.raises(ValueError, match="of 7 batches of a Dataset of 7, but this fit has 7 batches of 10 out of 70 samples"):
        run("arrays", callbacks.BackupAndRestore(tmp_path, 2))


def test_a_generator_that_ends_before_the_place_of_the_backup_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(Killed):
        run("generator", callbacks.BackupAndRestore(tmp_path), Killer(11))
    monkeypatch.setitem(SOURCES, "generator", (lambda: (batch(number) for number in range(4)), {"steps_per_epoch": 5}))
    with pytest.raises(ValueError, match="x has only 4 of the 10 batches that were trained on before"):
        run("generator", callbacks.BackupAndRestore(tmp_path))

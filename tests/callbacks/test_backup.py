"""BackupAndRestore: a training that was killed and is run again ends with the bits of one that was not."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fastmlp
from fastmlp import callbacks, layers, models, optimizers
from fastmlp.errors import ModelFileError, UnsupportedError

X = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32)
SCHEDULE = optimizers.schedules.CosineDecay(0.1, 30)

# What is kept by whom: name -> (optimizer, callbacks, arguments of fit). Epochs have 7 batches of 10.
CASES = {
    "plain": (lambda: optimizers.Adam(0.01), list, {}),
    "sgd": (lambda: optimizers.SGD(0.01), list, {"shuffle": False}),
    "schedule": (lambda: optimizers.RMSprop(SCHEDULE), list, {}),
    "short epochs": (lambda: optimizers.Adam(0.01), list, {"steps_per_epoch": 5, "batch_size": 7}),
    "validation": (lambda: optimizers.Adam(0.01), list, {"validation_split": 0.2}),
    "falling rate": (lambda: optimizers.Adam(0.01), lambda: [callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7)], {}),
    "plateaus": (lambda: optimizers.Adam(0.01), lambda: [callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.2)], {}),
    "averages": (
        lambda: optimizers.Nadam(0.01, use_ema=True, ema_momentum=0.9, gradient_accumulation_steps=3),
        lambda: [callbacks.SwapEMAWeights(swap_on_epoch=True)],
        {"validation_split": 0.2},
    ),
    "early stopping": (
        lambda: optimizers.Adam(0.01),
        lambda: [callbacks.EarlyStopping("loss", patience=2, min_delta=1.0, restore_best_weights=True)],
        {},
    ),
}


class Killed(BaseException):
    """Stands for a kill."""


class Killer(callbacks.Callback):
    """Kills once, before a batch of an epoch."""

    def __init__(self, epoch, batch):
        self.at = [epoch, batch]

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if [self.epoch, batch] == self.at:
            self.at = None
            raise Killed


def run(case, *more, seed=1):
    """The program that is run, killed and run again. A program that sets no seed has another one each time."""
    optimizer, others, options = CASES[case]
    fastmlp.utils.set_random_seed(seed)
    model = models.Sequential([layers.Dense(8, activation="relu", input_shape=(3,)), layers.Dropout(0.3), layers.Dense(1)])
    model.compile(optimizer=optimizer(), loss="mse", metrics=["mae"])
    history = model.fit(X, Y, **{"batch_size": 10, "epochs": 6, "verbose": 0, "callbacks": [*more, *others()], **options})
    return model, history


def bits(model):
    return [weight.tobytes() for weight in model.get_weights()]


@pytest.mark.parametrize("save_freq", ["epoch", 2, 5])
@pytest.mark.parametrize("case", CASES)
def test_a_killed_training_that_is_run_again_ends_with_the_same_bits(case, save_freq, tmp_path):
    whole, expected = run(case)
    with pytest.raises(Killed):
        run(case, callbacks.BackupAndRestore(tmp_path / "backup", save_freq=save_freq), Killer(3, 2))
    model, history = run(case, callbacks.BackupAndRestore(tmp_path / "backup", save_freq=save_freq), seed=2)
    assert bits(model) == bits(whole)
    assert model.training_state() == whole.training_state()
    assert model.optimizer.learning_rate == whole.optimizer.learning_rate
    first = history.epoch[0]  # that of the backup; its numbers are those of all its batches
    assert first in (2, 3)
    assert history.epoch == expected.epoch[first:]
    for name, values in history.history.items():
        assert values == expected.history[name][first:], name
    assert not (tmp_path / "backup").exists()


def test_it_may_be_killed_again_and_again(engine, tmp_path):
    whole, _ = run("plain")
    for killer in (Killer(0, 0), Killer(0, 3), Killer(0, 3), Killer(2, 6), Killer(5, 6)):
        with pytest.raises(Killed):
            run("plain", callbacks.BackupAndRestore(tmp_path, save_freq=2), killer)
    assert bits(run("plain", callbacks.BackupAndRestore(tmp_path, save_freq=2))[0]) == bits(whole)


PROGRAM = """
    import os, signal, sys
    import numpy as np
    from fastmlp import callbacks, layers, models, utils

    class Killer(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == int(sys.argv[3]):
                os.kill(os.getpid(), signal.SIGKILL)

    random = np.random.default_rng(0)
    x = random.normal(size=(2000, 20)).astype(np.float32)
    y = random.integers(0, 4, 2000)
    utils.set_random_seed(int(sys.argv[4]))
    model = models.Sequential(
        [layers.Dense(32, activation="relu", input_shape=(20,)), layers.Dropout(0.2), layers.Dense(4, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    listeners = [callbacks.BackupAndRestore(sys.argv[1], save_freq=sys.argv[2] if sys.argv[2] == "epoch" else int(sys.argv[2]))]
    model.fit(x, y, batch_size=20, epochs=4, verbose=0, callbacks=[*listeners, *([Killer()] if int(sys.argv[3]) else [])])
    print(np.concatenate([weight.ravel() for weight in model.get_weights()]).tobytes().hex())
"""


@pytest.mark.parametrize("save_freq", ["epoch", "37"])
def test_kill_9_in_the_middle_of_an_epoch_changes_no_bit(save_freq, tmp_path):
    def program(folder, kill_at, seed):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM), tmp_path / folder, save_freq, str(kill_at), str(seed)]
        return subprocess.run(command, capture_output=True, text=True)

    whole = program("whole", 0, 1)
    assert whole.returncode == 0, whole.stderr
    killed = program("killed", 250, 1)  # epochs have 100 batches
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["latest.safetensors"]
    again = program("killed", 0, 2)  # it begins with other weights, but goes on with those of the backup
    assert again.returncode == 0, again.stderr
    assert again.stdout == whole.stdout


def test_a_killed_early_stopping_is_not_forgotten(tmp_path):
    """Killed after the last epoch and its backup, before the best weights came back."""

    class AtTheEnd(callbacks.Callback):
        def on_train_end(self, logs=None):
            raise Killed

    whole, expected = run("early stopping")
    assert len(expected.epoch) == 5
    with pytest.raises(Killed):
        run("early stopping", callbacks.BackupAndRestore(tmp_path / "backup"), AtTheEnd())
    model, history = run("early stopping", callbacks.BackupAndRestore(tmp_path / "backup"))
    assert history.epoch == []
    assert bits(model) == bits(whole)


def test_a_finished_training_deletes_its_backup_only(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    run("plain", callbacks.BackupAndRestore(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_backup_that_is_kept_ends_the_next_training_at_once(tmp_path):
    first, _ = run("plain", callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False))
    second, history = run("plain", callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False), seed=2)
    assert history.epoch == []
    assert bits(first) == bits(second)


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def interrupt(folder, **options):
    with pytest.raises(Killed):
        run("plain", callbacks.BackupAndRestore(folder, **options), Killer(3, 2))


def test_a_damaged_backup_is_an_error_and_with_two_the_other_is_taken(tmp_path):
    interrupt(tmp_path, double_checkpoint=True)
    damage(tmp_path / "latest.safetensors")
    whole, _ = run("plain")
    model, history = run("plain", callbacks.BackupAndRestore(tmp_path, double_checkpoint=True))
    assert history.epoch == [2, 3, 4, 5]
    assert bits(model) == bits(whole)
    interrupt(tmp_path)
    damage(tmp_path / "latest.safetensors")
    with pytest.raises(ModelFileError, match="it is damaged"):
        run("plain", callbacks.BackupAndRestore(tmp_path))


def test_a_backup_of_something_else_is_an_error(tmp_path):
    interrupt(tmp_path, save_freq=1)
    other = models.Sequential([layers.Dense(1, input_shape=(3,))])
    other.compile(optimizer="adam", loss="mse")
    with pytest.raises(ValueError, match="is of another model; name another folder, or delete it to begin anew"):
        other.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    model, _ = run("plain")
    before = bits(model)
    with pytest.raises(ValueError, match="of 7 batches of 10 out of 70 samples, but this fit has 14 batches of 5 out of 70 samples"):
        model.fit(X, Y, batch_size=5, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert bits(model) == before
    model.save(tmp_path / "latest.safetensors")
    with pytest.raises(ModelFileError, match="it is not a backup of this version of fastmlp"):
        run("plain", callbacks.BackupAndRestore(tmp_path))


def test_another_optimizer_than_that_of_the_backup_is_an_error(tmp_path):
    interrupt(tmp_path)
    with pytest.raises(ValueError, match="of another optimizer"):
        run("sgd", callbacks.BackupAndRestore(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"backup_dir": ""}, ValueError, "backup_dir is empty; pass the path of a file or folder"),
        ({"backup_dir": "b", "save_freq": "batch"}, ValueError, "save_freq of BackupAndRestore must be 'epoch' or a number of batches"),
        ({"backup_dir": "b", "save_freq": 0}, ValueError, "save_freq must be an integer ≥ 1, got 0"),
        ({"backup_dir": "b", "save_freq": False}, UnsupportedError, "save_freq=False, which saves when preemption is announced"),
    ],
)
def test_backups_refuse_what_they_can_not_do(arguments, error, message):
    with pytest.raises(error) as caught:
        callbacks.BackupAndRestore(**arguments)
    assert message in str(caught.value)

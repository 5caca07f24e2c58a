"""Callbacks that write files: ModelCheckpoint, CSVLogger, TensorBoard."""

from __future__ import annotations

import csv
import io
import sys

import numpy as np
import pytest

import fastmlp
from fastmlp import callbacks, layers, models

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32)


def compiled(metrics=("mae",)):
    fastmlp.utils.set_random_seed(3)
    model = models.Sequential([layers.Dense(4, activation="tanh", input_shape=(3,)), layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse", metrics=list(metrics))
    return model


def fit(model, *listeners, **options):
    return model.fit(X, Y, **{"batch_size": 10, "epochs": 3, "verbose": 0, "callbacks": list(listeners), **options})


class EpochWeights(callbacks.Callback):
    """Keeps the weights of every epoch's end, and of every batch's if asked."""

    def __init__(self):
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


def same_weights(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# ModelCheckpoint


def test_a_checkpoint_of_every_epoch_has_its_number_and_numbers_in_its_name(engine, tmp_path):
    keeper = EpochWeights()
    path = tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.safetensors"
    history = fit(compiled(), keeper, callbacks.ModelCheckpoint(path), validation_data=(X, Y)).history
    names = [f"{epoch:02d}-{loss:.2f}.safetensors" for epoch, loss in enumerate(history["val_loss"], start=1)]
    assert names_in(tmp_path / "new") == names
    for name, weights in zip(names, keeper.weights, strict=True):
        assert same_weights(fastmlp.load_model(tmp_path / "new" / name).get_weights(), weights)


def test_a_checkpoint_goes_on_as_the_run_would_have(engine, tmp_path):
    whole = compiled()
    fit(whole, callbacks.ModelCheckpoint(tmp_path / "{epoch}.safetensors"))
    resumed = fastmlp.load_model(tmp_path / "2.safetensors")
    fit(resumed, epochs=1)
    assert same_weights(whole.get_weights(), resumed.get_weights())


@pytest.mark.parametrize(
    ("mode", "numbers", "best"),
    [
        ("min", [2.0, 3.0, 1.0, 1.0], [1, 3]),
        ("max", [2.0, 3.0, 1.0, 1.0], [1, 2]),
        ("min", [np.nan, 3.0, np.nan, 1.0], [2, 4]),
        ("max", [np.nan, 3.0, np.nan, 4.0], [2, 4]),
    ],
)
def test_only_a_better_model_replaces_the_best(tmp_path, mode, numbers, best):
    class Script(callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["number"] = numbers[epoch]

    path = tmp_path / "{epoch}.safetensors"
    fit(compiled(), Script(), callbacks.ModelCheckpoint(path, monitor="number", mode=mode, save_best_only=True), epochs=4)
    assert names_in(tmp_path) == [f"{epoch}.safetensors" for epoch in best]


def test_the_first_best_has_to_beat_the_threshold(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "best.safetensors", monitor="loss", save_best_only=True, initial_value_threshold=1e-9)
    fit(compiled(), checkpoint)
    assert not names_in(tmp_path)
    assert checkpoint.best == 1e-9


def test_checkpoints_after_batches_count_over_the_epochs(engine, tmp_path):
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.safetensors", save_freq=3)
    model = compiled()
    fit(model, checkpoint)  # three epochs of four batches
    assert names_in(tmp_path) == ["1-3.safetensors", "2-2.safetensors", "3-1.safetensors", "3-4.safetensors"]
    assert fastmlp.load_model(tmp_path / "2-2.safetensors").training_state()["iterations"] == 6
    assert same_weights(fastmlp.load_model(tmp_path / "3-4.safetensors").get_weights(), model.get_weights())


def test_checkpoints_after_batches_do_not_make_training_go_batch_by_batch():
    assert not callbacks.CallbackList([callbacks.ModelCheckpoint("x.safetensors", save_freq=1000)]).listens_to_batches("train")


def test_a_checkpoint_says_what_it_does_when_asked(tmp_path, capsys):
    path = str(tmp_path / "best.safetensors")
    model = compiled()
    model.optimizer.learning_rate = 0
    checkpoint = callbacks.ModelCheckpoint(path, monitor="mae", mode="min", save_best_only=True, verbose=1)
    mae = fit(model, checkpoint, epochs=2, shuffle=False).history["mae"][0]
    assert capsys.readouterr().out == (
        f"\nEpoch 1: mae improved from None to {mae:.5f}, saving model to {path}\n\nEpoch 1: finished saving model to {path}\n"
        f"\nEpoch 2: mae did not improve from {mae:.5f}\n"
    )


def test_weights_alone_can_be_saved(tmp_path):
    model = compiled()
    fit(model, callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True), epochs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.weights.h5", "2.weights.h5"]
    again = compiled()
    again.load_weights(tmp_path / "2.weights.h5")
    for loaded, trained in zip(again.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(loaded, trained)


@pytest.mark.filterwarnings("ignore:ModelCheckpoint monitors 'val_loss'")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"filepath": "m.safetensors", "save_freq": "batch"},
            ValueError,
            "save_freq of ModelCheckpoint must be 'epoch' or a number of batches",
        ),
        ({"filepath": "m.safetensors", "save_freq": 0}, ValueError, "save_freq must be an integer ≥ 1, got 0"),
        ({"filepath": "{wrong}.safetensors"}, KeyError, "asks for 'wrong', which is not available; there are epoch, loss, mae"),
        ({"filepath": "m.txt"}, ValueError, "models are saved as .safetensors files"),
    ],
)
def test_checkpoints_refuse_what_they_can_not_do(arguments, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        fit(compiled(), callbacks.ModelCheckpoint(**arguments))
    assert message in str(caught.value)


def test_the_best_without_its_number_is_saved_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="ModelCheckpoint monitors 'val_loss', which is not available; there are loss, mae"):
        fit(compiled(), callbacks.ModelCheckpoint(tmp_path / "m.safetensors", save_best_only=True), epochs=1)
    assert names_in(tmp_path) == ["m.safetensors"]


# CSVLogger


def read(path, delimiter=","):
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_the_csv_file_has_a_line_for_every_epoch(engine, tmp_path):
    path = tmp_path / "log.csv"
    history = fit(compiled(), callbacks.CSVLogger(path), validation_data=(X, Y)).history
    header, *lines = read(path)
    assert header == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    for epoch, line in enumerate(lines):
        assert [float(cell) for cell in line] == [epoch, *(history[name][epoch] for name in header[1:])]


def test_epochs_without_a_validation_have_na(tmp_path):
    path = tmp_path / "log.csv"
    fit(compiled(()), callbacks.CSVLogger(path, separator=";"), validation_data=(X, Y), validation_freq=2)
    header, *lines = read(path, ";")
    assert header == ["epoch", "loss", "val_loss"]
    assert [line[2] == "NA" for line in lines] == [True, False, True]


@pytest.mark.parametrize(("append", "epochs"), [(True, ["0", "1", "2", "0", "1", "2"]), (False, ["0", "1", "2"])])
def test_the_csv_file_is_appended_to_or_replaced(tmp_path, append, epochs):
    path = tmp_path / "log.csv"
    for _ in range(2):
        fit(compiled(), callbacks.CSVLogger(path, append=append))
    assert [line[0] for line in read(path)] == ["epoch", *epochs]


def test_an_appended_csv_file_keeps_every_value_under_its_name(tmp_path):
    path = tmp_path / "log.csv"
    logger = callbacks.CSVLogger(path, append=True)
    runs = [
        fit(compiled(metrics), logger, epochs=2, validation_data=validation).history
        for metrics, validation in [(("mae",), (X, Y)), ((), (X, Y)), (("mse", "mae"), (X, Y)), (("mae",), None)]
    ]
    header, *lines = read(path)
    assert header == ["epoch", "loss", "mae", "val_loss", "val_mae", "mse", "val_mse"]
    expected = [[epoch, *(run[name][epoch] if name in run else "NA" for name in header[1:])] for run in runs for epoch in (0, 1)]
    assert lines == [[str(value) for value in line] for line in expected]


def test_a_column_that_comes_in_a_later_epoch_is_added_to_the_csv_file(tmp_path):
    class Late(callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 1:
                logs["late"] = 5

    fit(compiled(()), Late(), callbacks.CSVLogger(tmp_path / "log.csv", separator="\t"), epochs=3)
    assert [line[-1] for line in read(tmp_path / "log.csv", "\t")] == ["late", "NA", "5", "NA"]


def test_a_last_line_that_a_crash_cut_off_is_ended_before_others_are_appended(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\r\n0,0.5\r\n1,0.25")
    fit(compiled(()), callbacks.CSVLogger(path, append=True), epochs=1)
    assert [line[0] for line in read(path)] == ["epoch", "0", "1", "0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch;loss\n0;0.5\n", "is not a log of CSVLogger with the separator ','"),
        ("age,height\n1,2\n", "its first line has no column 'epoch'"),
        ("epoch,loss\n0,0.5,0.25\n", "row 2 has 3 values for 2 columns"),
    ],
)
def test_a_csv_file_that_is_no_log_is_not_appended_to(tmp_path, text, message):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        fit(compiled(()), callbacks.CSVLogger(path, append=True), epochs=1)
    assert path.read_text() == text


def test_the_csv_file_is_whole_after_every_epoch_and_closed_after_an_exception(tmp_path):
    path = tmp_path / "log.csv"
    logger = callbacks.CSVLogger(path)

    class Breaking(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                assert len(read(path)) == 3
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fit(compiled(), logger, Breaking())
    assert logger._file is None


def test_values_with_several_numbers_go_into_one_cell(tmp_path):
    class Several(callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["several"], logs["single"] = np.array([1, 2]), np.array(3)

    fit(compiled(()), Several(), callbacks.CSVLogger(tmp_path / "log.csv"), epochs=1)
    assert read(tmp_path / "log.csv")[1][2:4] == ['"[1, 2]"', "3"]


def test_a_separator_is_one_character():
    with pytest.raises(ValueError, match="separator must be one character, got ', '"):
        callbacks.CSVLogger("x.csv", separator=", ")


# TensorBoard


def events(folder):
    """``{tag: [(step, value), …]}`` of an event folder, as TensorBoard itself reads it."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reader = accumulator.EventAccumulator(str(folder), size_guidance={accumulator.TENSORS: 0})
    reader.Reload()
    from tensorboard.util.tensor_util import make_ndarray

    return {tag: [(event.step, make_ndarray(event.tensor_proto)) for event in reader.Tensors(tag)] for tag in reader.Tags()["tensors"]}


def test_tensorboard_shows_the_numbers_of_every_epoch(engine, tmp_path):
    pytest.importorskip("tensorboard")
    history = fit(compiled(), callbacks.TensorBoard(tmp_path), validation_data=(X, Y)).history
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    assert set(train) == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}
    assert set(validation) == {"epoch_loss", "epoch_mae", "evaluation_loss_vs_iterations", "evaluation_mae_vs_iterations"}
    assert [step for step, _ in train["epoch_loss"]] == [0, 1, 2]
    np.testing.assert_allclose([value for _, value in train["epoch_mae"]], history["mae"], rtol=1e-6)
    np.testing.assert_allclose([value for _, value in validation["epoch_loss"]], history["val_loss"], rtol=1e-6)
    assert [step for step, _ in validation["evaluation_loss_vs_iterations"]] == [4, 8, 12]
    assert train["epoch_learning_rate"][0][1] == pytest.approx(0.001)


def test_tensorboard_shows_histograms_of_the_weights(tmp_path):
    pytest.importorskip("tensorboard")
    model = compiled()
    fit(model, callbacks.TensorBoard(tmp_path, histogram_freq=2))
    shown = events(tmp_path / "train")
    names = [f"{layer.name}/{name}/histogram" for layer in model.layers for name in ("kernel", "bias")]
    assert set(shown) >= set(names)
    assert [step for step, _ in shown[names[0]]] == [0, 2]
    buckets = shown[names[0]][-1][1]
    assert buckets[:, 2].sum() == 12  # the elements of the kernel
    kernel = model.get_weights()[0]
    assert (buckets[0, 0], buckets[-1, 1]) == pytest.approx((kernel.min(), kernel.max()), rel=1e-6)


def test_tensorboard_shows_pictures_of_the_weights(tmp_path):
    pytest.importorskip("tensorboard")
    model = compiled()
    fit(model, callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True))
    width, height, picture = events(tmp_path / "train")[f"{model.layers[0].name}/kernel/image"][-1][1]
    assert (int(width), int(height)) == (max(model.get_weights()[0].shape), min(model.get_weights()[0].shape))
    levels = np.asarray(pytest.importorskip("PIL.Image").open(io.BytesIO(picture)))
    kernel = model.get_weights()[0]
    kernel = kernel.T if kernel.shape[0] > kernel.shape[1] else kernel
    assert np.array_equal(levels, np.rint(255 * (kernel - kernel.min()) / (kernel.max() - kernel.min())))


@pytest.mark.parametrize("argument", [{"profile_batch": 2}, {"embeddings_freq": 1}, {"embeddings_metadata": "words.tsv"}])
def test_tensorboard_warns_of_what_it_does_not_write(tmp_path, argument):
    pytest.importorskip("tensorboard")
    with pytest.warns(UserWarning, match=rf"TensorBoard\({next(iter(argument))}=\.\.\.\) writes nothing, because it is not in fastmlp"):
        callbacks.TensorBoard(tmp_path, **argument)


@pytest.mark.parametrize(("frequency", "steps"), [("batch", [*range(1, 13)]), (5, [5, 10])])
def test_tensorboard_shows_the_means_while_an_epoch_runs(tmp_path, frequency, steps):
    pytest.importorskip("tensorboard")
    board = callbacks.TensorBoard(tmp_path, update_freq=frequency, write_steps_per_second=True)
    assert not callbacks.CallbackList([board]).listens_to_batches("train")
    fit(compiled(()), board)
    shown = events(tmp_path / "train")
    assert [step for step, _ in shown["batch_loss"]] == steps
    assert [step for step, _ in shown["batch_steps_per_second"]] == steps
    assert all(value > 0 for _, value in [*shown["batch_steps_per_second"], *shown["epoch_steps_per_second"]])


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(ImportError, match=r'TensorBoard needs the tensorboard package: pip install "fastmlp\[tensorboard\]"'):
        callbacks.TensorBoard()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"write_images": "yes"}, TypeError, "write_images must be True or False, got 'yes'"),
        ({"update_freq": "step"}, ValueError, "update_freq must be 'batch', 'epoch' or a number of batches, got 'step'"),
    ],
)
def test_tensorboard_refuses_what_it_can_not_do(arguments, error, message):
    with pytest.raises(error) as caught:
        callbacks.TensorBoard(**arguments)
    assert message in str(caught.value)

"""What fit, evaluate and predict do with data, and what they print."""

from __future__ import annotations

import re
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

from fastmlp import callbacks, layers, models, optimizers, utils
from fastmlp.errors import NonFiniteWeightsError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 2)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
Y = X @ np.array([[1.0], [-2.0]], dtype=np.float32)


def classifier(engine, seed=3, **arguments):
    utils.set_random_seed(seed)
    model = models.Sequential(
        [layers.Dense(8, activation="tanh", input_shape=(2,)), layers.Dropout(0.1), layers.Dense(3, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"], engine=engine, **arguments)
    return model


def line(engine, **arguments):
    utils.set_random_seed(3)
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "engine": engine, **arguments})
    return model


class Frame:
    """Stands for a table of pandas, or a tensor."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


def same(a, b):
    return all(np.array_equal(one, two) for one, two in zip(a.get_weights(), b.get_weights(), strict=True))


# Training


def test_training_learns(engine):
    model = line(engine)
    history = model.fit(X, Y, epochs=30, batch_size=5, verbose=0)
    assert history.history["loss"][-1] < 1e-3 * history.history["loss"][0]
    np.testing.assert_allclose(model.layers[0].kernel, [[1.0], [-2.0]], atol=0.05)


def test_history_has_sorted_keys_and_python_floats(engine):
    model = classifier(engine)
    history = model.fit(X, LABELS, epochs=2, validation_data=(X, LABELS), verbose=0)
    assert model.history is history
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert {type(value) for values in history.history.values() for value in values} == {float}
    assert history.epoch == [0, 1]
    assert history.params == {"verbose": 0, "epochs": 2, "steps": 4}


def test_the_training_loss_is_the_mean_over_rows_while_the_weights_move(engine):
    model = line(engine)
    losses = []
    probe = line(engine)
    for start in (0, 40, 80):
        losses.append(probe.train_on_batch(X[start : start + 40], Y[start : start + 40]))
    loss = model.fit(X, Y, batch_size=40, shuffle=False, verbose=0).history["loss"][0]
    assert loss == pytest.approx((40 * losses[0] + 40 * losses[1] + 20 * losses[2]) / 100, rel=1e-6)
    assert same(model, probe)


@pytest.mark.parametrize("shuffle", [True, False])
def test_two_fits_are_one_long_fit(engine, shuffle):
    once, twice = classifier(engine), classifier(engine)
    once.fit(X, LABELS, epochs=4, shuffle=shuffle, verbose=0)
    twice.fit(X, LABELS, epochs=3, shuffle=shuffle, verbose=0)
    twice.fit(X, LABELS, epochs=1, shuffle=shuffle, verbose=0)
    assert same(once, twice)
    assert once.training_state() == twice.training_state()


def test_a_run_repeats_from_its_seed_and_another_seed_gives_another(engine):
    first, second, other = (classifier(engine, seed) for seed in (1, 1, 2))
    for model in (first, second, other):
        model.fit(X, LABELS, epochs=2, verbose=0)
    assert same(first, second)
    assert not same(first, other)


def test_shuffling_changes_the_order_of_the_rows(engine):
    shuffled, plain = line(engine), line(engine)
    shuffled.fit(X, Y, verbose=0)
    plain.fit(X, Y, shuffle=False, verbose=0)
    assert not same(shuffled, plain)


def test_a_callback_that_listens_to_batches_changes_no_number(engine):
    class Listener(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    quick, slow = classifier(engine), classifier(engine)
    a = quick.fit(X, LABELS, epochs=3, batch_size=7, validation_split=0.2, verbose=0)
    b = slow.fit(X, LABELS, epochs=3, batch_size=7, validation_split=0.2, verbose=0, callbacks=[Listener()])
    assert same(quick, slow)
    assert a.history == b.history


def test_epochs_is_the_index_of_the_last(engine):
    history = line(engine).fit(X, Y, initial_epoch=2, epochs=5, verbose=0)
    assert history.epoch == [2, 3, 4]
    assert line(engine).fit(X, Y, initial_epoch=5, epochs=5, verbose=0).history == {}


def test_validation_split_holds_out_the_last_rows_before_shuffling(engine):
    split, apart = classifier(engine), classifier(engine)
    a = split.fit(X, LABELS, epochs=2, validation_split=0.25, verbose=0)
    b = apart.fit(X[:75], LABELS[:75], epochs=2, validation_data=(X[75:], LABELS[75:]), verbose=0)
    assert a.history == b.history
    assert same(split, apart)


def test_validation_data_overrides_the_split_and_takes_weights(engine):
    weight = np.where(LABELS == 1, 3.0, 0.0)
    model = classifier(engine)
    history = model.fit(X, LABELS, validation_split=0.5, validation_data=(X, LABELS, weight), verbose=0)
    loss, _ = model.evaluate(X, LABELS, sample_weight=weight, verbose=0)
    assert history.history["val_loss"] == [pytest.approx(loss, rel=1e-6)]
    assert history.params["steps"] == 4


@pytest.mark.parametrize(("frequency", "count"), [(1, 5), (2, 2), ([1, 5], 2)])
def test_validation_frequency(engine, frequency, count):
    history = line(engine).fit(X, Y, epochs=5, validation_data=(X, Y), validation_freq=frequency, verbose=0).history
    assert (len(history["loss"]), len(history["val_loss"])) == (5, count)


def test_validation_steps_read_the_first_batches_only(engine):
    model = line(engine)
    history = model.fit(X, Y, validation_data=(X, Y), validation_steps=2, validation_batch_size=10, verbose=0).history
    assert history["val_loss"] == [pytest.approx(model.evaluate(X[:20], Y[:20], verbose=0), rel=1e-6)]


def test_held_out_classes_that_training_lacks_warn(engine):
    order = np.argsort(LABELS)
    with pytest.warns(UserWarning, match=r"classes the training samples lack: 2; shuffle x and y together before fit"):
        classifier(engine).fit(X[order], LABELS[order], validation_split=0.4, verbose=0)


def test_class_weights_are_sample_weights_by_class(engine):
    by_class, by_row = classifier(engine), classifier(engine)
    a = by_class.fit(X, LABELS, class_weight={0: 2.0, 2: 0.5}, epochs=2, verbose=0)
    b = by_row.fit(X, LABELS, sample_weight=np.array([2.0, 1.0, 0.5])[LABELS], epochs=2, verbose=0)
    assert a.history == b.history
    assert same(by_class, by_row)


@pytest.mark.parametrize("kind", [float, np.float32, np.int64, np.uint8, bool])
def test_classes_may_be_numbers_of_any_kind(kind):
    values = []
    for keys in ((0, 1), (kind(0), kind(1))):
        model = classifier("native")
        values.append(model.fit(X, LABELS, class_weight={keys[0]: 2.0, keys[1]: np.float32(0.5)}, verbose=0).history)
    assert values[0] == values[1]


@pytest.mark.parametrize("key", [3, 9.0])
def test_a_class_weight_for_no_class_warns(key):
    with pytest.warns(UserWarning, match=f"class_weight has the key {int(key)}, but the classes go from 0 to 2"):
        classifier("native").fit(X, LABELS, class_weight={0: 2.0, key: 3.0}, verbose=0)
    binary = models.Sequential([layers.Dense(1, "sigmoid", input_shape=(2,))])
    binary.compile("sgd", "binary_crossentropy")
    with pytest.warns(UserWarning, match="but the classes go from 0 to 1"):
        binary.fit(X, LABELS > 1, class_weight={key: 3.0}, verbose=0)


def test_balanced_class_weights_are_explained():
    with pytest.raises(TypeError, match=r"got 'balanced'; for weights that balance the classes: counts = np\.bincount\(labels\)"):
        classifier("native").fit(X, LABELS, class_weight="balanced", verbose=0)


def test_warnings_point_at_the_line_of_the_user(engine):
    order = np.argsort(LABELS)
    with pytest.warns(UserWarning, match="shuffle x and y") as caught:
        classifier(engine).fit(X[order], LABELS[order], validation_split=0.4, verbose=0)
    assert caught[0].filename == __file__


def test_class_weights_do_not_touch_the_validation(engine):
    model = classifier(engine)
    history = model.fit(X, LABELS, class_weight={0: 9.0, 1: 9.0, 2: 9.0}, validation_split=0.25, verbose=0)
    assert history.history["val_loss"] == [pytest.approx(model.evaluate(X[75:], LABELS[75:], verbose=0)[0], rel=1e-6)]


def test_class_weights_read_one_hot_and_binary_targets(engine):
    one_hot = models.Sequential([layers.Dense(3, "softmax", input_shape=(2,))])
    one_hot.compile(loss="categorical_crossentropy", engine=engine)
    weighted = one_hot.test_on_batch(X, utils.to_categorical(LABELS), sample_weight=np.array([1.0, 5.0, 1.0])[LABELS])
    one_hot.optimizer.learning_rate = 0
    assert one_hot.train_on_batch(X, utils.to_categorical(LABELS), class_weight={1: 5.0}) == pytest.approx(weighted, rel=1e-6)
    binary = line(engine, loss="binary_crossentropy")
    with pytest.warns(UserWarning, match="no sigmoid"):
        assert binary.train_on_batch(X, LABELS > 1, class_weight={0: 0.0, 1: 0.0}) == 0


def test_steps_per_epoch_go_on_where_the_last_epoch_ended(engine):
    parts, whole = line(engine), line(engine)
    parts.fit(X, Y, batch_size=10, epochs=4, steps_per_epoch=5, shuffle=False, verbose=0)
    whole.fit(X, Y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    assert same(parts, whole)
    assert parts.history.params["steps"] == 5


def test_steps_per_epoch_make_the_batch_size_where_none_is_given(engine):
    model = line(engine)
    model.fit(X, Y, steps_per_epoch=3, verbose=0)
    assert model.network.iterations == 3


def test_more_steps_than_data_warn_and_end_the_epoch(engine):
    model = line(engine)
    with pytest.warns(UserWarning, match="the data ran out after 4 of 9 steps; 100 samples are only 4 batches of 32"):
        model.fit(X, Y, batch_size=32, steps_per_epoch=9, verbose=0)
    assert model.network.iterations == 4


@pytest.mark.parametrize(
    "x",
    [
        X.astype(np.float64),
        np.asfortranarray(X),
        X.tolist(),
        np.repeat(X, 2, axis=0)[::2],
        X.astype(">f4"),
        memoryview(X),
        Frame(X.astype(np.float64)),
        np.lib.stride_tricks.as_strided(X, writeable=False),
    ],
    ids=["float64", "fortran", "list", "strided", "big-endian", "memoryview", "frame", "read-only"],
)
def test_data_of_any_kind_trains_alike(engine, x):
    one, other = line(engine), line(engine)
    one.fit(X, Y, verbose=0)
    other.fit(x, Y[:, 0].tolist(), verbose=0)
    assert same(one, other)


def test_uint8_images_are_numbers_from_0_to_255(engine):
    images = RNG.integers(0, 256, size=(20, 4, 4), dtype=np.uint8)
    model = models.Sequential([layers.Flatten(input_shape=(4, 4)), layers.Dense(1)])
    np.testing.assert_allclose(model.predict(images, verbose=0), model.predict(images.astype(float), verbose=0), rtol=1e-5, atol=1e-4)


# Memory

MANY = 1_000_000
LABELS_OF_MANY = np.arange(MANY, dtype=np.int32) % 3


@pytest.mark.parametrize(
    ("y", "options", "bytes_per_row"),
    [
        (LABELS_OF_MANY, {"shuffle": False}, 0),
        (LABELS_OF_MANY, {"epochs": 2}, 4),  # the order of the rows
        (LABELS_OF_MANY, {"shuffle": False, "validation_split": 0.5}, 0),
        (LABELS_OF_MANY, {"shuffle": False, "class_weight": {0: 2.0}}, 4),  # the weights
        (LABELS_OF_MANY.astype(np.float64), {"shuffle": False}, 4),  # the labels as int32
    ],
    ids=["in order", "shuffled", "validated", "weighted by class", "converted"],
)
def test_training_takes_no_more_memory_for_more_rows_than_it_must(y, options, bytes_per_row):
    x = np.zeros((MANY, 2), np.float32)
    model = classifier("native")
    model.fit(x[:100], y[:100], batch_size=2048, verbose=0, **options)  # which imports what it needs
    tracemalloc.start()
    try:
        model.fit(x, y, batch_size=2048, verbose=0, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < bytes_per_row * MANY + 1.5e6


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("kind", ["array", "read-only array", "memory map"])
def test_predicting_copies_no_data_that_the_engine_can_read(kind, dtype, tmp_path):
    shape = (MANY, 4)
    x = np.memmap(tmp_path / "x.bin", dtype=dtype, mode="w+", shape=shape) if kind == "memory map" else np.zeros(shape, dtype)
    x.flags.writeable = kind == "array"
    model = models.Sequential([layers.Dense(1, input_shape=(4,))])
    model.predict(x[:100], verbose=0)  # which imports what it needs
    tracemalloc.start()
    try:
        predictions = model.predict(x, batch_size=1000, verbose=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < predictions.nbytes + 1.5e6


# Engines' details


def test_the_learning_rate_can_be_changed_between_fits(engine):
    model = line(engine)
    model.fit(X, Y, verbose=0)
    before = model.get_weights()
    model.optimizer.learning_rate = 0
    model.fit(X, Y, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_ctrl_c_leaves_a_usable_model_at_the_end_of_an_epoch(engine):
    class Interrupting(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    model, whole = line(engine), line(engine)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=9, callbacks=[Interrupting()], verbose=0)
    assert len(model.history.history["loss"]) == 2
    assert model.training_state()["epochs"] == 2
    model.fit(X, Y, epochs=1, verbose=0)
    whole.fit(X, Y, epochs=3, verbose=0)
    assert same(model, whole)


def test_ctrl_c_is_noticed_within_an_epoch(engine):
    model = models.Sequential([layers.Dense(64, activation="tanh", input_shape=(64,)), layers.Dense(64)])
    model.compile(loss="mse", engine=engine)
    x = np.zeros((4096, 64), np.float32)
    model.train_on_batch(x[:8], x[:8])
    timer = threading.Timer(0.3, lambda: __import__("_thread").interrupt_main())
    timer.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, x, batch_size=1, epochs=10_000, verbose=0)
    assert time.perf_counter() - started < 20  # 10,000 epochs would take hours
    assert np.isfinite(model.predict(x, verbose=0)).all()


def test_training_one_model_from_two_threads_is_an_error(engine):
    model = line(engine)
    entered, leave = threading.Event(), threading.Event()

    class Waiting(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=lambda: model.fit(X, Y, callbacks=[Waiting()], verbose=0))
    thread.start()
    try:
        assert entered.wait(10)
        for use in (lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y), lambda: model.compile(loss="mae"), model.pop):
            with pytest.raises(RuntimeError, match=r"was called while another thread trains the same model; wait for it, or train a copy"):
                use()
        assert model.predict(X, verbose=0).shape == (100, 1)
    finally:
        leave.set()
        thread.join()
    model.fit(X, Y, verbose=0)


def test_many_threads_may_predict_at_once(engine):
    model = classifier(engine)
    expected = model.predict(X, verbose=0)
    model.compile(loss="mse", engine="native" if engine == "reference" else "reference")
    model.compile(loss="mse", engine=engine)  # so that the first threads make the network
    failures = []

    def ask():
        for _ in range(20):
            if not np.array_equal(model.predict(X, verbose=0), expected):
                failures.append(1)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_network_too_large_to_predict_all_samples_at_once_does_so_in_parts(engine):
    model = models.Sequential([layers.Dense(3000, input_shape=(2,)), layers.Dense(3000), layers.Dense(3)])
    model.compile(loss="mse", engine=engine)
    whole = np.concatenate([model(part) for part in np.split(X, 4)])
    np.testing.assert_allclose(model.predict(X, batch_size=3, verbose=0), whole, rtol=1e-4, atol=1e-6)


def test_predict_and_evaluate_in_parts_give_the_same_numbers(engine):
    model = classifier(engine)
    whole = model.predict(X, verbose=0)
    expected = model.evaluate(X, LABELS, verbose=0)
    np.testing.assert_allclose(model.predict(X, batch_size=3, verbose=0), whole, rtol=1e-6)
    np.testing.assert_allclose(model.evaluate(X, LABELS, batch_size=3, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X, batch_size=3, steps=4, verbose=0), whole[:12], rtol=1e-6)
    assert model.predict(X, steps=4, verbose=0).shape == (100, 3)


def test_train_on_batch_and_test_on_batch_return_what_evaluate_returns(engine):
    model = classifier(engine)
    model.optimizer.learning_rate = 0
    loss, accuracy = model.test_on_batch(X, LABELS)
    assert [loss, accuracy] == pytest.approx(model.evaluate(X, LABELS, verbose=0), rel=1e-6)
    assert model.test_on_batch(X, LABELS, return_dict=True) == {"loss": loss, "accuracy": accuracy}
    assert list(model.train_on_batch(X, LABELS, return_dict=True)) == ["accuracy", "loss"]
    assert model.network.iterations == 1


# What is printed

NUMBER = r"\d+\.\d{4}(e[+-]\d\d)?"
TIME = r"\d+(s|ms|us)/step"


def test_fit_prints_a_line_per_epoch(engine, capsys):
    classifier(engine).fit(X, LABELS, epochs=2, validation_split=0.2)
    first, one, second, two = capsys.readouterr().out.splitlines()
    assert (first, second) == ("Epoch 1/2", "Epoch 2/2")
    for text in (one, two):
        assert re.fullmatch(
            rf"3/3 ━{{20}} \d+s {TIME} - accuracy: {NUMBER} - loss: {NUMBER} - val_accuracy: {NUMBER} - val_loss: {NUMBER}", text
        )


def test_one_epoch_has_no_heading(engine, capsys):
    line(engine).fit(X, Y)
    assert re.fullmatch(rf"4/4 ━{{20}} \d+s {TIME} - loss: {NUMBER}\n", capsys.readouterr().out)


def test_verbose_2_prints_one_line_without_a_bar(engine, capsys):
    line(engine).fit(X, Y, epochs=12, initial_epoch=10, batch_size=8, verbose=2)
    assert re.fullmatch(rf"(Epoch 1[12]/12\n13/13 - \d+s - {TIME} - loss: {NUMBER}\n){{2}}", capsys.readouterr().out)


def test_evaluate_and_predict_print_a_line_too(engine, capsys):
    model = classifier(engine)
    model.evaluate(X, LABELS)
    model.predict(X)
    evaluated, predicted = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"4/4 ━{{20}} \d+s {TIME} - accuracy: {NUMBER} - loss: {NUMBER}", evaluated)
    assert re.fullmatch(rf"4/4 ━{{20}} \d+s {TIME}", predicted)


def test_verbose_0_prints_nothing(engine, capsys):
    model = classifier(engine)
    model.fit(X, LABELS, validation_split=0.2, verbose=0, callbacks=[callbacks.EarlyStopping()])
    model.evaluate(X, LABELS, verbose=0)
    model.predict(X, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_moving_bar(engine, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    pause = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.06))  # lines are drawn 20 times a second
    line(engine).fit(X, Y, batch_size=25, callbacks=[pause])
    drawn = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out).split("\r")[1:]
    assert [text.split()[0] for text in drawn] == ["1/4", "2/4", "3/4", "4/4"]
    assert drawn[-1].endswith("\n")
    assert not any("\n" in text for text in drawn[:-1])


def test_an_output_that_knows_only_ascii_gets_plain_characters(engine, monkeypatch):
    import io

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    line(engine).fit(X, Y)
    stream.flush()
    assert stream.buffer.getvalue().startswith(b"4/4 --------------------")


def test_a_program_without_an_output_trains(engine, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert line(engine).fit(X, Y).epoch == [0]


def test_a_history_shows_its_last_values_and_a_table_in_notebooks():
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    history = model.fit(np.eye(2), np.ones(2), epochs=3, verbose=0)
    loss = history.history["loss"]
    assert repr(history) == f"<History of 3 epochs: loss {loss[-1]:.4f}>"
    table = history._repr_html_()
    assert "<caption>3 epochs</caption>" in table
    assert f"<th>loss</th><td>{loss[0]:.4f}</td><td>{min(loss):.4f}</td><td>{max(loss):.4f}</td><td>{loss[-1]:.4f}</td>" in table
    assert repr(callbacks.History()) == "<History of 0 epochs>"
    assert "<tbody></tbody>" in callbacks.History()._repr_html_()


OVERFLOWING = np.full((4, 1), 1e10), np.full((4, 1), 1e5)
LEARNS = {
    "fit": lambda model: model.fit(*OVERFLOWING, verbose=0),
    "a generator": lambda model: model.fit((OVERFLOWING for _ in range(1)), steps_per_epoch=1, verbose=0),
    "train_on_batch": lambda model: model.train_on_batch(*OVERFLOWING),
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("learns", LEARNS.values(), ids=LEARNS)
def test_an_update_that_leaves_infinite_weights_is_told_though_the_loss_was_finite(engine, learns):
    model = models.Sequential([layers.Dense(1, input_shape=(1,))])
    model.compile(optimizers.SGD(1e30), "mse", engine=engine)
    with pytest.raises(NonFiniteWeightsError, match="weights became NaN or infinite"):
        learns(model)

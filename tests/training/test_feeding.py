"""Data that comes in batches trains as arrays cut the same way do, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import callbacks, layers, models, optimizers, utils
from fastmlp.errors import NonFiniteLossError, UnsupportedError

SIZE = 16
X = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
Y = (X[:, :1] > 0).astype(np.float32)
WEIGHT = np.linspace(0, 2, 70).astype(np.float32)
STARTS = range(0, 70, SIZE)


def batch(start, weighted=False):
    part = slice(start, start + SIZE)
    return (X[part], Y[part], WEIGHT[part]) if weighted else (X[part], Y[part])


def batches(times=1, weighted=False):
    for _ in range(times):
        for start in STARTS:
            yield batch(start, weighted)


class Dataset(utils.PyDataset):
    def __init__(self):
        super().__init__(workers=2)
        self.asked, self.ends = [], 0

    def __len__(self):
        return len(STARTS)

    def __getitem__(self, index):
        self.asked.append(index)
        return batch(STARTS[index])

    def on_epoch_end(self):
        self.ends += 1


def made(engine="native", **options):
    utils.set_random_seed(5)
    model = models.Sequential([layers.Dense(6, activation="tanh"), layers.Dropout(0.2), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy", "AUC"], engine=engine, **options)
    return model


def assert_same(a, b):
    for left, right in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def from_arrays(epochs=3, engine="native", **options):
    model = made(engine)
    history = model.fit(X, Y, batch_size=SIZE, epochs=epochs, shuffle=False, verbose=0, **options).history
    return model, history


def test_a_data_set_trains_as_the_arrays(engine):
    model, source = made(engine), Dataset()
    history = model.fit(source, epochs=3, shuffle=False, verbose=0, validation_data=Dataset()).history
    expected, values = from_arrays(engine=engine, validation_data=(X, Y))
    assert_same(model, expected)
    assert history.keys() == values.keys()
    for name in history:
        assert history[name] == pytest.approx(values[name], rel=1e-6)
    assert source.ends == 3


def test_a_generator_with_steps_goes_on_in_the_next_epoch(engine):
    model = made(engine)
    model.fit(batches(3), steps_per_epoch=5, epochs=3, verbose=0)
    assert_same(model, from_arrays(engine=engine)[0])


def test_a_generator_without_steps_is_one_epoch():
    model = made()
    model.fit(batches(2), verbose=0)
    assert_same(model, from_arrays(epochs=2)[0])


def test_batches_may_have_weights():
    model = made()
    model.fit(batches(2, weighted=True), steps_per_epoch=5, epochs=2, verbose=0)
    assert_same(model, from_arrays(epochs=2, sample_weight=WEIGHT)[0])


def test_class_weights_beside_weights_in_the_batches_are_refused():
    model = made()
    with pytest.raises(ValueError, match="pass class_weight or sample weights, not both; the batches of x contain sample weights"):
        model.fit(batches(2, weighted=True), steps_per_epoch=5, class_weight={1: 3.0}, verbose=0)

    def weights_later():
        yield from batches()
        yield from batches(weighted=True)

    with pytest.raises(ValueError, match="pass class_weight or sample weights, not both; the batches of x"):
        model.fit(weights_later(), class_weight={1: 3.0}, verbose=0)


def test_classes_may_have_weights():
    model = made()
    model.fit(Dataset(), shuffle=False, epochs=2, verbose=0, class_weight={1: 3.0})
    assert_same(model, from_arrays(epochs=2, class_weight={1: 3.0})[0])


def test_a_data_set_is_asked_for_its_batches_in_a_new_order_each_epoch():
    source = Dataset()
    made().fit(source, epochs=2, verbose=0)
    first, second = source.asked[:5], source.asked[5:]
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4]
    assert first != second


def test_steps_of_a_data_set_go_on_behind_those_of_the_epoch_before():
    source = Dataset()
    with pytest.warns(UserWarning, match="x ran out of data after 2 of 3 steps"):
        made().fit(source, epochs=3, steps_per_epoch=3, shuffle=False, verbose=0)
    assert source.asked == [0, 1, 2, 3, 4, 0, 1, 2]


def test_a_generator_that_ends_early_ends_the_training_with_a_warning():
    model = made()
    with pytest.warns(UserWarning, match="x ran out of data after 0 of 5 steps; it must have batches for all epochs"):
        history = model.fit(batches(2), steps_per_epoch=5, epochs=4, verbose=0)
    assert history.epoch == [0, 1]
    assert_same(model, from_arrays(epochs=2)[0])


def test_evaluate_and_predict_take_batches(engine):
    model, _ = from_arrays(engine=engine)
    expected = model.evaluate(X, Y, batch_size=SIZE, verbose=0)
    assert model.evaluate(Dataset(), verbose=0) == pytest.approx(expected, rel=1e-6)
    assert model.evaluate(batches(), verbose=0) == pytest.approx(expected, rel=1e-6)
    assert model.evaluate(batches(), steps=2, verbose=0) == pytest.approx(model.evaluate(X[:32], Y[:32], verbose=0), rel=1e-6)
    np.testing.assert_array_equal(model.predict(Dataset(), verbose=0), model.predict(X, verbose=0))
    np.testing.assert_array_equal(model.predict((x for x, _ in batches()), verbose=0), model.predict(X, verbose=0))
    np.testing.assert_array_equal(model.predict(batches(), steps=2, verbose=0), model.predict(X[:32], verbose=0))


def test_callbacks_see_every_batch():
    seen = []

    class Watch(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    made().fit(Dataset(), epochs=2, verbose=0, callbacks=[Watch()])
    assert seen == [0, 1, 2, 3, 4] * 2


def test_the_progress_line_counts_batches_that_nobody_could_foretell(capsys):
    made().fit(batches(), verbose=2)
    assert capsys.readouterr().out.startswith("5/5 - ")


def test_a_loss_that_is_not_finite_is_told_with_its_batch():
    def bad():
        yield X[:4], Y[:4]
        yield np.full((4, 3), 1e38, np.float32), Y[:4]

    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(NonFiniteLossError, match="in epoch 1, batch 2"):
        model.fit(bad(), verbose=0)


class DatasetV2:
    """What TensorFlow's data sets look like."""

    def as_numpy_iterator(self):
        return batches()


DatasetV2.__module__ = "tensorflow.python.data.ops.dataset_ops"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.fit(batches(), Y), "fit: y is only for arrays; here x comes in batches"),
        (lambda m: m.fit(Dataset(), batch_size=4), "fit: batch_size is only for arrays"),
        (lambda m: m.fit(Dataset(), validation_split=0.2), "fit: validation_split is only for arrays"),
        (lambda m: m.evaluate(Dataset(), sample_weight=WEIGHT), "evaluate: sample_weight is only for arrays"),
        (lambda m: m.fit(iter([])), "x has no batches: it is empty or already exhausted"),
        (lambda m: m.fit(iter([(X, Y, WEIGHT, 3)])), r"a batch of x must be \(x, y\) or \(x, y, sample_weight\), got 4 parts"),
        (lambda m: m.fit(iter([X])), "y is missing: pass the targets"),
        (lambda m: m.fit(iter([(X[:, :2], Y)])), "x has 2 features, but the first layer expects 3"),
        (lambda m: m.fit(X, Y, validation_data=batches()), "validation_data is a generator, so give validation_steps"),
        (lambda m: m.fit(DatasetV2()), r"tf.data datasets are not read by fastmlp; pass dataset.as_numpy_iterator\(\)"),
        (lambda m: m.train_on_batch(batches(), Y), "x is a generator; only x of fit, evaluate and predict may come in batches"),
    ],
)
def test_what_does_not_go_with_batches_is_told(call, message):
    model, _ = from_arrays(epochs=1)
    with pytest.raises((ValueError, UnsupportedError), match=message):
        call(model)


def test_a_torch_data_loader_trains_as_the_arrays():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=SIZE)
    model = made()
    model.fit(loader, epochs=3, verbose=0, validation_data=loader)
    assert_same(model, from_arrays()[0])
    np.testing.assert_array_equal(model.predict(loader, verbose=0), model.predict(X, verbose=0))


def test_callbacks_that_look_ahead_work_where_nobody_knows_the_steps(tmp_path):
    class Loader:
        """A DataLoader as far as fit looks."""

        def __iter__(self):
            return batches()

    Loader.__name__, Loader.__module__ = "DataLoader", "torch.utils.data"
    live, finder = callbacks.LivePlot(tmp_path / "live.png", budget=1.0), callbacks.LearningRateFinder(steps=12)
    made().fit(Loader(), epochs=5, verbose=0, callbacks=[live, finder])
    assert len(finder.losses) == 12
    assert len(live._curves["loss"]["training"]) == 3  # epochs of 5 batches


def test_a_schedule_gives_every_batch_of_a_generator_its_rate():
    def trained(*data, **options):
        model = made()
        model.compile(optimizer=optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 12)), loss="binary_crossentropy")
        model.fit(*data, epochs=3, verbose=0, **options)
        return model

    assert_same(trained(batches(3), steps_per_epoch=len(STARTS)), trained(X, Y, batch_size=SIZE, shuffle=False))


def test_an_optimizer_that_needs_all_rows_takes_no_batches():
    model = made()
    model.compile(optimizer="lbfgs", loss="binary_crossentropy")
    with pytest.raises(ValueError, match="LBFGS needs all samples at once, but x comes in batches; pass arrays"):
        model.fit(Dataset(), verbose=0)

"""What fails leaves no trace: an unbuilt model is still unbuilt, a compiled one still compiled, weights and optimizer what they were."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import Model, callbacks, layers, losses, models, utils

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)
NAN = np.where(X > 2, np.nan, X) * np.where(np.arange(60).reshape(20, 3) == 30, np.nan, 1)


def unbuilt(loss="binary_crossentropy", **options):
    utils.set_random_seed(5)
    utils.clear_session()
    model = models.Sequential([layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(1, "sigmoid")])
    model.compile("adam", loss, **options)
    return model


class Broken(callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise OSError("the disk is full")


FAILING = {
    "y of another shape": lambda m: m.fit(X, np.ones((20, 2)), verbose=0),
    "y of another length": lambda m: m.fit(X, Y[:-1], verbose=0),
    "no y": lambda m: m.fit(X, verbose=0),
    "y out of range": lambda m: m.fit(X, 5 * Y, verbose=0),
    "NaN in x": lambda m: m.fit(NAN, Y, verbose=0),
    "weights of another length": lambda m: m.fit(X, Y, sample_weight=np.ones(3), verbose=0),
    "validation data of another width": lambda m: m.fit(X, Y, validation_data=(X[:, :2], Y), verbose=0),
    "a split that leaves nothing": lambda m: m.fit(X, Y, validation_split=0.999, verbose=0),
    "class weights that are none": lambda m: m.fit(X, Y, class_weight=3, verbose=0),
    "a callback that is none": lambda m: m.fit(X, Y, callbacks=[3], verbose=0),
    "a callback that fails before the first batch": lambda m: m.fit(X, Y, callbacks=Broken(), verbose=0),
    "rows that are no vectors": lambda m: m.fit(X[:, :, None], Y, verbose=0),
    "a generator of bad batches": lambda m: m.fit(iter([(X, np.ones((20, 2)))]), verbose=0),
    "evaluate": lambda m: m.evaluate(X, np.ones((20, 2)), verbose=0),
    "train_on_batch": lambda m: m.train_on_batch(X, np.ones((20, 2))),
    "test_on_batch": lambda m: m.test_on_batch(X, np.ones((20, 2))),
    "predict": lambda m: m.predict(NAN, verbose=0),
    "predict of no features": lambda m: m.predict(X[:, :0], verbose=0),
    "a call": lambda m: m(np.ones((2, 0))),
    "build": lambda m: m.build((None, -3)),
}


@pytest.mark.parametrize("fail", FAILING.values(), ids=FAILING)
def test_a_model_that_was_not_built_is_not_built_after_a_failure(fail):
    model = unbuilt()
    with pytest.raises((ValueError, TypeError, OSError)):
        fail(model)
    assert not model.built
    assert model.get_weights() == []
    assert not any(layer.built for layer in model.layers)
    assert [layer.output_shape for layer in model.layers if not layer.weightless] == [None] * 3
    model.fit(X, Y, verbose=0)
    after = unbuilt()
    after.fit(X, Y, verbose=0)
    assert model.input_shape == (None, 3)
    assert [layer.name for layer in model._layers] == [layer.name for layer in after._layers]
    assert model.predict(X[:, :3], verbose=0).shape == (20, 1)


def test_the_weights_after_a_failure_are_those_without_it():
    utils.set_random_seed(5)
    model = models.Sequential([layers.Dense(4), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="y has shape"):
        model.fit(X, np.ones((20, 2)), verbose=0)
    model.fit(X, Y, verbose=0)
    utils.set_random_seed(5)
    other = models.Sequential([layers.Dense(4), layers.Dense(1)])
    other.compile("sgd", "mse")
    other.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def test_a_failure_may_be_followed_by_data_of_another_width():
    model = unbuilt()
    with pytest.raises(ValueError, match="y has shape"):
        model.fit(X, np.ones((20, 2)), verbose=0)
    model.fit(np.ones((20, 7)), Y, verbose=0)
    assert model.input_shape == (None, 7)


def test_after_a_failure_while_training_the_model_stays_built():
    class Stopping(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError("the disk is full")

    model = unbuilt()
    with pytest.raises(OSError, match="disk"):
        model.fit(X, Y, callbacks=Stopping(), verbose=0)
    assert model.built
    assert model.optimizer.iterations == 1


def test_which_crossentropy_is_meant_is_not_decided_by_targets_that_failed():
    model = models.Sequential([layers.Dense(3, "softmax")])
    model.compile("sgd", "crossentropy")
    with pytest.raises(ValueError, match="y"):
        model.fit(X, np.full(20, 7), verbose=0)  # integer class labels out of range
    model.fit(X, utils.to_categorical(np.arange(20) % 3), verbose=0)
    assert isinstance(model.loss, losses.CategoricalCrossentropy)


def test_a_failed_compile_leaves_the_model_compiled_as_it_was():
    model = unbuilt()
    model.fit(X, Y, verbose=0)
    optimizer = model.optimizer
    for options in ({"optimizer": "none"}, {"loss": "none"}, {"metrics": ["none"]}, {"engine": "none"}, {"loss_weights": [1, 2]}):
        with pytest.raises((ValueError, TypeError)):
            model.compile(**({"optimizer": "sgd", "loss": "mse"} | options))
    assert model.optimizer is optimizer
    assert model.loss.name == "binary_crossentropy"
    model.fit(X, Y, verbose=0)
    assert optimizer.iterations == 2


def test_a_failed_add_leaves_the_model_and_its_optimizer_as_they_were():
    model = unbuilt()
    model.fit(X, Y, verbose=0)
    weights = model.get_weights()
    added = layers.Reshape((2, 2))
    with pytest.raises(ValueError, match="can't be reshaped"):
        model.add(added)
    assert len(model.layers) == 3
    assert not added.built
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    assert model.optimizer.iterations == 1
    model.fit(X, Y, verbose=0)
    assert model.optimizer.iterations == 2


def test_layers_of_a_model_that_could_not_be_made_are_as_they_were():
    dense, reshape = layers.Dense(4, input_shape=(3,)), layers.Reshape((7,))
    with pytest.raises(ValueError, match="can't be reshaped"):
        models.Sequential([dense, reshape])
    assert (dense.built, reshape.built) == (False, False)
    assert models.Sequential([layers.Input((5,)), dense]).output_shape == (None, 4)


def test_a_layer_that_could_not_be_called_is_as_it_was():
    x = layers.Input((2, 3))
    for layer in (layers.Reshape((7,)), layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0])):
        with pytest.raises(ValueError, match="shape"):
            layer(x)
        assert not layer.built


def test_weights_are_set_or_loaded_all_or_none(tmp_path):
    model = models.Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(1)])
    weights = model.get_weights()
    with pytest.raises(ValueError, match="shape"):
        model.set_weights([w + 1 for w in weights[:-1]] + [np.ones(7)])
    y = layers.Input((3,))
    other = Model(y, layers.Dense(2)(layers.Dense(4)(y)))
    for name in ("o.safetensors", "o.keras", "o.h5"):
        other.save(tmp_path / name)
        with pytest.raises(ValueError, match="does not fit the model"):
            model.load_weights(tmp_path / name)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))

"""``fastmlp.backend`` and ``fastmlp.config``, and configurations in Keras' form."""

import json

import numpy as np
import pytest

import fastmlp
from fastmlp import backend as K
from fastmlp import config, initializers, layers, losses, metrics, models, optimizers, regularizers, utils
from fastmlp.errors import UnsupportedError

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


@pytest.mark.parametrize("clear", [K.clear_session, utils.clear_session])
def test_automatic_names_begin_anew_after_clear_session(clear):
    layers.Dense(1), models.Sequential(), fastmlp.Variable(0.0)
    clear()
    assert (layers.Dense(1).name, models.Sequential().name, fastmlp.Variable(0.0).name) == ("dense", "sequential", "variable")


@pytest.mark.parametrize("module", [K, config])
def test_there_is_one_type_and_one_format(module):
    assert (module.floatx(), module.epsilon(), module.image_data_format()) == ("float32", 1e-7, "channels_last")
    module.set_floatx("float32")
    module.set_epsilon(1e-7)
    module.set_image_data_format("channels_last")
    for change, value in ((module.set_floatx, "float16"), (module.set_epsilon, 1e-4), (module.set_image_data_format, "channels_first")):
        with pytest.raises(UnsupportedError, match=r"is not in fastmlp.*(float32|1e-7|transpose)"):
            change(value)
    config.set_dtype_policy("float32")
    with pytest.raises(UnsupportedError, match="its own backend"):
        config.set_backend("jax")
    with pytest.raises(AttributeError, match="compute with NumPy"):
        _ = K.square
    assert not hasattr(K, "square")


def test_objects_are_made_from_configurations_with_class_names():
    def keras(class_name, /, **settings):
        return {"module": "keras", "class_name": class_name, "config": settings, "registered_name": None}

    policy = keras("DTypePolicy", name="float32")
    dense = layers.deserialize(
        keras(
            "Dense",
            name="d",
            trainable=True,
            dtype=policy,
            units=2,
            activation="relu",
            kernel_initializer=keras("GlorotUniform", seed=3, input_axes=None, output_axes=None),
            kernel_regularizer=keras("L2", l2=0.5),
            quantization_config=None,
        )
    )
    assert (dense.units, dense.name, dense.kernel_regularizer.l2, dense.kernel_initializer.seed) == (2, "d", 0.5, 3)
    assert layers.Dense.from_config(keras("Dense", units=3, dtype=policy)["config"]).units == 3
    assert losses.deserialize(keras("Huber", delta=2.0)).delta == 2.0
    assert metrics.get(keras("BinaryAccuracy", threshold=0.3)).threshold == 0.3
    assert optimizers.get({"class_name": "adam", "config": {"learning_rate": 0.5}}).learning_rate == 0.5
    assert optimizers.schedules.deserialize(keras("CosineDecay", initial_learning_rate=0.1, decay_steps=9)).decay_steps == 9
    assert initializers.get({"class_name": "Ones", "config": {}})((2,)).tolist() == [1, 1]
    assert regularizers.get(keras("L1", l1=0.25)).l1 == 0.25
    with pytest.raises(ValueError, match="unknown loss class 'Hubert'"):
        losses.deserialize(keras("Hubert"))


def functional():
    x = layers.Input((3,), name="x")
    hidden = layers.Dense(4, "relu", kernel_regularizer="l2", name="h")(x)
    return models.Model(x, layers.Concatenate(name="c")([hidden, x]), name="f")


@pytest.mark.parametrize(
    "make",
    [functional, lambda: models.Sequential([layers.Input((3,)), layers.Dense(2, "tanh"), layers.Dropout(0.5), layers.LeakyReLU()])],
)
def test_a_model_comes_back_from_its_json(make):
    model = make()
    text = model.to_json(indent=2)
    document = json.loads(text)
    assert document["class_name"] == type(model).__name__
    assert {layer["class_name"] for layer in document["config"]["layers"]} >= {"Dense", "InputLayer"}
    for copied in (models.model_from_json(text), type(model).from_config(document["config"])):
        copied.set_weights(model.get_weights())
        np.testing.assert_array_equal(copied.predict(X, verbose=0), model.predict(X, verbose=0))
        assert copied.get_config() == model.get_config()
        assert not copied.compiled
    with pytest.raises(ValueError, match="Expecting"):
        models.model_from_json("{")


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_predictions_of_a_called_model_have_numpy(engine):
    model = models.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse", engine=engine)
    model.predict(X, verbose=0)
    for result in (model(X), model(X[0]), model(X, training=True), model(X.tolist())):
        assert isinstance(result, np.ndarray)
        assert (type(result.numpy()), type(result[0].numpy())) == (np.ndarray, np.ndarray)
        np.testing.assert_array_equal(result.numpy(), result)
        assert result.numpy() is not result
    assert type(model.predict(X, verbose=0)) is np.ndarray


def test_predictions_behave_as_arrays():
    import copy
    import pickle

    model = models.Sequential([layers.Input((3,)), layers.Dense(2)])
    for _ in range(100):
        result = model(X)
    plain = model.predict(X, verbose=0)
    assert repr(result) == repr(plain)
    assert type(pickle.loads(pickle.dumps(result))) is np.ndarray
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(result)), plain)
    np.testing.assert_array_equal(copy.deepcopy(result), plain)
    np.testing.assert_array_equal(result + 1, plain + 1)
    np.testing.assert_array_equal(np.asarray(result).argmax(axis=1), plain.argmax(axis=1))
    result[0, 0] = 3.0
    assert (float(result[0, 0]), result.flags.owndata, result.flags.writeable) == (3.0, True, True)
    second = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    np.testing.assert_array_equal(second(result), second(result.numpy()))


def test_every_output_of_a_called_model_has_numpy():
    x = layers.Input((3,))
    model = models.Model(x, {"a": layers.Dense(2)(x), "b": layers.Dense(1)(x)})
    assert {name: part.numpy().shape for name, part in model(X).items()} == {"a": (5, 2), "b": (5, 1)}

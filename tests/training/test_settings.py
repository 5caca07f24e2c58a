"""Attributes that are set on objects in use: they take effect everywhere, or are refused with what to do."""

import copy
import inspect
import pickle
from abc import ABC, abstractmethod

import numpy as np
import pytest

from fastmlp import constraints, layers, losses, metrics, models, optimizers, regularizers
from fastmlp.optimizers import schedules

X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
Y = X[:, :1]


def learned_table():
    """What a TableEncoder learned of X."""
    encoder = layers.TableEncoder()
    encoder.adapt(X)
    return encoder.get_config()["schema"]


REQUIRED = {
    "Activation": ("tanh",),
    "Dense": (3,),
    "Embedding": (7, 2),
    "CategoryEncoding": (7,),
    "Discretization": ([0.5],),
    "Hashing": (5,),
    "IntegerLookup": (None, 1, None, -1, [1, 2, 3]),
    "Reshape": ((3, 1),),
    "Rescaling": (2.0,),
    "RepeatVector": (2,),
    "Permute": ((1,),),
    "GetItem": ([[0, 2, None]],),
    "PiecewiseLinearEmbedding": (3, 4, [[-1.0, 0.5, 1.0], [], [0.0, 2.0]]),
    "PiecewiseLinearEncoding": (4, [[-1.0, 0.5, 1.0], [], [0.0, 2.0]]),
    "TableEncoder": (None, 4, 10, 8, None, learned_table()),
    **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"), (0.4,)),
}
OTHER_VALUES = {
    "activation": ["sigmoid", "nonsense"],
    "mode": ["sum"],
    "data_format": ["channels_first"],
    "target_shape": [(1, 3), (4,)],
    "output_mode": ["count", "one_hot"],
    "name": ["another"],
    "dims": [(2,), "x"],
    "edges": [[[0.0, 1.0, 3.0], [], [0.5, 1.0]], [[0.0, 1.0]] * 3, "x"],
    "key": [[[1, 3, None]], [0], "x"],
}
KINDS = [
    (cls, name)
    for cls in layers.registry.classes.values()
    if not issubclass(cls, (layers.InputLayer, *(layers.Add.__mro__[1],)))
    for name in sorted(set(inspect.signature(cls).parameters) - {"options"} | cls(*REQUIRED.get(cls.__name__, ())).get_config().keys())
]


def other_values(name, value):
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    if name.endswith("_regularizer"):
        return ["l2", "nonsense"]
    if name.endswith("_constraint"):
        return ["non_neg"]
    if name.endswith("_initializer"):
        return ["ones"]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)) or value is None:
        return [0.2, 2, 0, -1, "x"]
    return [3, None]


def state_of(model):
    """What the optimizer keeps for each weight."""
    return [variable.numpy() for variable in model.optimizer.variables[2:]]


@pytest.mark.parametrize(("cls", "name"), KINDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_setting_of_every_layer_takes_effect_or_is_refused(cls, name, tmp_path):
    reads_numbers = cls.__name__ in ("Embedding", "CategoryEncoding", "Hashing", "IntegerLookup")
    x = np.abs(X).astype(int) % 7 if reads_numbers else X
    for position, value in enumerate(other_values(name, getattr(cls(*REQUIRED.get(cls.__name__, ())), name, None))):
        layer = cls(*REQUIRED.get(cls.__name__, ()))
        steps = [layers.Reshape((3, 1))] if "Pooling" in cls.__name__ else []
        model = models.Sequential([layers.Input((3,)), *steps, layer, layers.Flatten(), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(x, Y, verbose=0)
        before, config = model.predict(x, verbose=0), model.get_config()
        state = state_of(model)
        try:
            setattr(layer, name, value)
        except (ValueError, TypeError, AttributeError):
            assert model.get_config() == config
            assert (model.predict(x, verbose=0) == before).all()
            continue
        now = model.predict(x, verbose=0)
        if name == "trainable":
            model.compile(model.optimizer, "mse")
        assert (model(x) == now).all()
        if name == "trainable":
            layer.trainable = not value
            model.compile(model.optimizer, "mse")
        assert all(np.array_equal(*slots) for slots in zip(state, state_of(model), strict=True))
        if name == "trainable":
            layer.trainable = value
            model.compile(model.optimizer, "mse")
        path = tmp_path / f"{position}.safetensors"
        model.save(path)
        for twin in (models.load_model(path), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(twin.predict(x, verbose=0), now)
            assert twin.get_config() == model.get_config()
            first, second = (list(one.fit(x, Y, epochs=2, verbose=0).history["loss"]) for one in (copy.deepcopy(model), twin))
            assert first == second


def built(*inner):
    model = models.Sequential([layers.Input((3,)), *inner, layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_setting_that_is_changed_takes_effect_at_once(engine):
    model = built(layers.LeakyReLU(), layers.Dense(3, "relu"))
    model.compile("adam", "mse", engine=engine)
    model.fit(X, Y, verbose=0)
    other = built(layers.LeakyReLU(0.9), layers.Dense(3, "tanh"))
    other.compile("adam", "mse", engine=engine)
    other.set_weights(model.get_weights())
    model.layers[0].negative_slope = 0.9
    model.layers[1].activation = "tanh"
    np.testing.assert_array_equal(model(X), other(X))
    assert model.optimizer.iterations == 1


def test_regularizers_and_constraints_that_are_set_take_effect():
    model = built(layers.Dense(3))
    loss = model.evaluate(X, Y, verbose=0)
    model.layers[0].kernel_regularizer = regularizers.L2(0.5)
    model.layers[0].kernel_constraint = "non_neg"
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(loss + 0.5 * np.square(model.layers[0].kernel).sum(), rel=1e-5)
    model.fit(X, Y, verbose=0)
    assert (model.layers[0].kernel >= 0).all()


def test_a_layer_in_several_models_changes_in_all_of_them():
    x = layers.Input((3,))
    shared = layers.LeakyReLU()
    inner = models.Model(x, shared(x))
    y = layers.Input((3,))
    outer = models.Model(y, layers.Rescaling(2.0)(inner(y)))
    inner.predict(X, verbose=0), outer.predict(X, verbose=0)
    shared.negative_slope = 0.0
    assert (inner(X) >= 0).all()
    assert (outer(X) >= 0).all()


@pytest.mark.parametrize(
    ("set_it", "message"),
    [
        (
            lambda m: setattr(m.layers[0], "units", 7),
            r"units of layer 'd' can't become 7: .*; make a new layer, Dense\(units=7",
        ),
        (lambda m: setattr(m.layers[0], "use_bias", False), r"use_bias of layer 'd' can't become False"),
        (lambda m: setattr(m.layers[0], "activaton", "relu"), "Dense has no attribute 'activaton'; did you mean 'activation'"),
        (lambda m: setattr(m.layers[0], "trainabel", False), "did you mean 'trainable'"),
        (lambda m: setattr(m.layers[0], "weights", []), "weights of Dense can't be set"),
        (lambda m: setattr(m.layers[0], "lora_rank", 4), "lora_rank of Dense is not in fastmlp; train all weights"),
        (lambda m: setattr(m.layers[1], "activation", "relu"), r"the activation of LeakyReLU is fixed; use a layer Activation\('relu'\)"),
    ],
)
def test_what_cannot_take_effect_is_refused_with_what_to_do(set_it, message):
    with pytest.raises(AttributeError, match=message):
        set_it(built(layers.Dense(2, name="d"), layers.LeakyReLU()))


@pytest.mark.parametrize(("name", "meant"), [("trainabel", "trainable"), ("stop_trainig", "stop_training"), ("optimiser", "optimizer")])
def test_a_misspelt_attribute_of_a_model_is_refused(name, meant):
    model = built()
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'; did you mean '{meant}'"):
        setattr(model, name, True)
    model.remark = "mine"


def test_an_attribute_of_the_users_own_can_be_set():
    layer = layers.Dense(2)
    layer.remark = "the second"
    layer.remark = "the first"
    assert layer.remark == "the first"


def test_settings_of_a_layer_that_is_not_built_can_be_changed():
    layer = layers.Dense(2, name="d")
    layer.units, layer.use_bias, layer.name = 5, False, "e"
    model = built(layer)
    assert [weight.shape for weight in model.weights] == [(3, 5), (5, 1), (1,)]
    assert model.layers[0].kernel.path == f"{model.name}/e/kernel"
    with pytest.raises(ValueError, match="units must be an integer ≥ 1, got 0"):
        layers.Dense(2).units = 0


def test_a_layer_can_be_renamed_but_not_to_a_name_that_is_taken(tmp_path):
    model = built(layers.Dense(2, name="first"), layers.Dense(2, name="second"))
    model.fit(X, Y, verbose=0)
    model.layers[0].name = "encoder"
    assert model.get_layer("encoder") is model.layers[0]
    with pytest.raises(ValueError, match="has a layer called 'second' already"):
        model.layers[0].name = "second"
    with pytest.raises(TypeError, match="name must be a non-empty string, got ''"):
        model.layers[0].name = ""
    for suffix in (".safetensors", ".keras", ".h5"):
        model.save(tmp_path / f"model{suffix}")
        loaded = models.load_model(tmp_path / f"model{suffix}")
        assert (loaded.get_layer("encoder").kernel == model.layers[0].kernel).all()
        assert loaded.optimizer.iterations == 1


def test_a_layer_cannot_be_changed_while_its_model_is_trained():
    from fastmlp.callbacks import LambdaCallback

    model = built(layers.Dropout(0.5))
    with pytest.raises(RuntimeError, match=r"can't be changed while the model .* is being trained; change it before or after fit"):
        model.fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_epoch_end=lambda *_: setattr(model.layers[0], "rate", 0.1))])
    assert model.layers[0].rate == 0.5


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(
    ("made", "name", "value"),
    [
        (optimizers.SGD(0.01), "momentum", 0.9),
        (optimizers.SGD(0.01, momentum=0.9), "momentum", 0.0),
        (optimizers.Adam(), "beta_1", 0.5),
        (optimizers.Adam(), "clipnorm", 0.1),
        (optimizers.AdamW(), "weight_decay", 0.5),
        (optimizers.RMSprop(), "centered", True),
    ],
)
def test_a_setting_of_the_optimizer_takes_effect_between_fits(made, name, value, engine):
    model = built(layers.Dense(3))
    made = type(made).from_config(made.get_config())
    model.compile(made, "mse", engine=engine)
    model.fit(X, Y, verbose=0)
    twin = copy.deepcopy(model)
    setattr(made, name, value)
    twin.compile(type(made).from_config({**made.get_config(), name: value}), "mse", engine=engine)
    weights = twin.get_weights()
    twin.fit(X, Y, verbose=0)
    twin.set_weights(weights)
    twin.optimizer.iterations = model.optimizer.iterations
    for slot, value in zip(twin.optimizer.variables[2:], state_of(model), strict=True):
        slot.assign(value)
    for one in (model, twin):
        one.fit(X, Y, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert made.iterations == 2


def test_a_bad_or_misspelt_setting_of_the_optimizer_is_refused():
    optimizer = optimizers.SGD()
    for name in ("learningrate", "learning_rat"):
        with pytest.raises(AttributeError, match=f"SGD has no attribute '{name}'; did you mean 'learning_rate'"):
            setattr(optimizer, name, 0.1)
    with pytest.raises(AttributeError, match=r"SGD has no attribute 'beta_1'; it has clipnorm, .*momentum"):
        optimizer.beta_1 = 0.9
    with pytest.raises(ValueError, match="momentum must be"):
        optimizer.momentum = -1
    assert optimizer.momentum == 0


def test_an_optimizer_trains_one_model():
    optimizer = optimizers.Adam()
    one, other = built(), built()
    one.compile(optimizer, "mse")
    other.compile(optimizer, "mse")
    one.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match=r"this Adam already trains the model '.*'; use a separate one for the model '.*'"):
        other.fit(X, Y, verbose=0)
    one.fit(X, Y, verbose=0)
    assert optimizer.iterations == 2
    one.compile("sgd", "mse")
    other.fit(X, Y, verbose=0)
    assert optimizer.iterations == 1


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (losses.Huber(), "delta"),
        (losses.BinaryCrossentropy(), "from_logits"),
        (metrics.BinaryAccuracy(), "threshold"),
        (regularizers.L2(0.1), "l2"),
        (constraints.MaxNorm(2), "max_value"),
        (schedules.CosineDecay(0.1, 10), "decay_steps"),
    ],
)
def test_what_a_model_was_compiled_with_is_fixed(item, name):
    kind = type(item).__name__
    with pytest.raises(AttributeError, match=f"{name} of {kind} is fixed once it is made.*make a new one, {kind}\\({name}=...\\)"):
        setattr(item, name, 0.5)
    with pytest.raises(AttributeError, match="did you mean"):
        setattr(item, f"{name}s", 0.5)


def test_a_metric_of_the_users_own_keeps_what_it_likes():
    class Largest(metrics.Metric):
        def __init__(self, name="largest", threshold=0.0):
            super().__init__(name)
            self.threshold = threshold

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.threshold = max(self.threshold, float(np.max(y_pred)))

        def result(self):
            return self.threshold

        def reset_state(self):
            self.threshold = 0.0

    model = built()
    model.compile("adam", "mse", metrics=[Largest()])
    assert model.fit(X, Y, verbose=0).history["largest"][0] > 0


def test_classes_of_the_users_own_may_have_abstract_bases_too():
    class Named(ABC):
        @abstractmethod
        def title(self):
            """What it is called."""

    class Own(losses.Huber, Named):
        def title(self):
            return f"Huber {self.delta}"

    assert Own(delta=2.0).title() == "Huber 2.0"
    with pytest.raises(TypeError, match="abstract"):
        type("Untitled", (losses.Huber, Named), {})()

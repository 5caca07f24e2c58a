"""Arguments that nothing takes: older names are answered with today's, misspelt ones with what was meant."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from fastmlp import Model, callbacks, initializers, layers, losses, metrics, models, optimizers, regularizers, utils
from fastmlp.layers.base import Layer

X, Y = np.eye(3), np.ones(3)


def compiled():
    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    return model


OLD = {
    "Dense(output_dim=)": (lambda: layers.Dense(output_dim=3), "Dense has no argument 'output_dim'; it is called 'units'"),
    "Dense(W_regularizer=)": (lambda: layers.Dense(3, W_regularizer="l2"), "it is called 'kernel_regularizer'"),
    "Dense(init=)": (lambda: layers.Dense(3, init="uniform"), "it is called 'kernel_initializer'"),
    "Dense(bias=)": (lambda: layers.Dense(3, bias=False), "it is called 'use_bias'"),
    "Dropout(p=)": (lambda: layers.Dropout(p=0.5), "Dropout has no argument 'p'; it is called 'rate'"),
    "GaussianNoise(sigma=)": (lambda: layers.GaussianNoise(sigma=0.1), "it is called 'stddev'"),
    "fit(nb_epoch=)": (lambda: compiled().fit(X, Y, nb_epoch=3), "fit has no argument 'nb_epoch'; it is called 'epochs'"),
    "fit(val_data=)": (lambda: compiled().fit(X, Y, val_data=(X, Y)), "it is called 'validation_data'"),
    "ModelCheckpoint(period=)": (lambda: callbacks.ModelCheckpoint("a.keras", period=3), "it is called 'save_freq'"),
    "Model(input=)": (lambda: Model(input=layers.Input((3,)), output=None), "it is called 'inputs'"),
    "to_categorical(nb_classes=)": (lambda: utils.to_categorical([0], nb_classes=2), "it is called 'num_classes'"),
    "Adam(beta1=)": (lambda: optimizers.Adam(beta1=0.9), "Adam has no argument 'beta1'; it is called 'beta_1'"),
}


@pytest.mark.parametrize("name", OLD)
def test_older_names_are_answered_with_those_of_today(name):
    call, message = OLD[name]
    with pytest.raises(TypeError) as error:
        call()
    assert message in str(error.value)


MISSPELT = {
    "Dense": (lambda: layers.Dense(3, activaton="relu"), "Dense has no argument 'activaton'; did you mean 'activation'?"),
    "of Layer": (lambda: layers.Dense(3, input_shap=(3,)), "did you mean 'input_shape'?"),
    "of its rules": (lambda: layers.Dense(3, kernel_regulariser="l2"), "did you mean 'kernel_regularizer'?"),
    "SGD": (lambda: optimizers.SGD(momentun=0.9), "did you mean 'momentum'?"),
    "of Optimizer": (lambda: optimizers.SGD(clipnrom=1.0), "did you mean 'clipnorm'?"),
    "EarlyStopping": (lambda: callbacks.EarlyStopping(patient=3), "EarlyStopping has no argument 'patient'; did you mean 'patience'?"),
    "a loss": (lambda: losses.Huber(delt=1.0), "Huber has no argument 'delt'; did you mean 'delta'?"),
    "a metric": (lambda: metrics.AUC(num_threshold=3), "AUC has no argument 'num_threshold'; did you mean 'num_thresholds'?"),
    "an initializer": (lambda: initializers.RandomNormal(std=0.1), "did you mean 'stddev'?"),
    "a schedule": (lambda: optimizers.schedules.ExponentialDecay(0.1, 10, decay=0.5), "did you mean 'decay_rate'?"),
    "a regularizer": (lambda: regularizers.L1L2(l3=0.1), "L1L2 has no argument 'l3'"),
    "fit": (lambda: compiled().fit(X, Y, epoch=3), "fit has no argument 'epoch'; did you mean 'epochs'?"),
    "evaluate": (lambda: compiled().evaluate(X, Y, batchsize=3), "did you mean 'batch_size'?"),
    "predict": (lambda: compiled().predict(X, verbos=0), "did you mean 'verbose'?"),
    "train_on_batch": (lambda: compiled().train_on_batch(X, Y, sample_weigth=Y), "did you mean 'sample_weight'?"),
    "compile": (lambda: compiled().compile(optimiser="adam"), "compile has no argument 'optimiser'; did you mean 'optimizer'?"),
    "summary": (lambda: compiled().summary(line_lenght=60), "did you mean 'line_length'?"),
    "save": (lambda: compiled().save("a.keras", overwrit=True), "did you mean 'overwrite'?"),
    "load_model": (lambda: models.load_model("a.keras", custom_object={}), "it is called 'custom_objects'"),
    "plot_model": (lambda: utils.plot_model(compiled(), show_shape=True), "did you mean 'show_shapes'?"),
    "nothing like it": (lambda: layers.Dropout(0.5, quux=1), "Dropout has no argument 'quux'; it has rate, "),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_misspelt_names_are_answered_with_what_was_meant(name):
    call, message = MISSPELT[name]
    with pytest.raises(TypeError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize(
    "cls",
    [
        *(
            cls
            for registry in (layers.registry, losses.registry, optimizers.registry)
            for cls in registry.classes.values()
            if cls is not layers.InputLayer
        ),
        *(getattr(callbacks, name) for name in callbacks.__all__ if name not in ("Callback", "CallbackList", "History", "LambdaCallback")),
    ],
    ids=lambda cls: cls.__name__,
)
def test_every_class_names_itself_when_it_is_given_an_argument_it_does_not_have(cls):
    with pytest.raises(TypeError, match=rf"^{cls.__name__} has no argument 'quux'"):
        cls(quux=1)


def test_errors_inside_a_function_stay_what_they_are():
    class Own(callbacks.Callback):
        def __init__(self, x):
            self.x = max([1], kay=x)

    with pytest.raises(TypeError, match="kay"):
        Own(3)


def test_subclasses_of_the_users_own_answer_too_and_stay_what_they_are():
    class Doubled(callbacks.Callback):
        def __init__(self, factor: int = 2) -> None:
            """Twice as much."""
            self.factor = factor

    with pytest.raises(TypeError, match="Doubled has no argument 'factr'; did you mean 'factor'"):
        Doubled(factr=3)
    assert Doubled.__init__.__doc__ == "Twice as much."
    assert Doubled(3).factor == 3


def test_a_layer_is_pickled_with_its_answering_constructor():
    assert isinstance(pickle.loads(pickle.dumps(layers.Dense)), type)
    assert issubclass(layers.Dense, Layer)

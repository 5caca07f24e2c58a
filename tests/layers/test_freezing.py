"""``trainable``: what is frozen stays, what is not trains on, and batch normalization keeps its statistics."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

import fastmlp
from fastmlp import layers, models

rng = np.random.default_rng(4)
X = rng.normal(size=(60, 6)).astype(np.float32)
Y = rng.normal(size=(60, 2)).astype(np.float32)


def make(**options):
    stack = [
        layers.Dense(8, "tanh", name="a"),
        layers.BatchNormalization(name="b"),
        layers.Dense(7, "relu", name="c"),
        layers.Dense(2, name="d"),
    ]
    return models.Sequential([layers.Input((6,)), *stack], **options)


def fit(model, optimizer="adam", x=X):
    model.compile(optimizer, "mse")
    model.fit(x, Y, batch_size=20, epochs=2, verbose=0)
    return model


def variables_of(optimizer):
    return {variable.name: variable.numpy() for variable in optimizer.variables}


def changed(model, do):
    """Names of the layers whose trained weights, and whose statistics, `do` changes."""
    before = {layer.name: layer.get_weights() for layer in model.layers}
    do()
    return {
        layer.name
        for layer in model.layers
        if any(not np.array_equal(old, new) for old, new in zip(before[layer.name], layer.get_weights(), strict=True))
    }


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("frozen", ["", "a", "b", "c", "d", "ab", "abc", "bc", "acd", "abcd"])
def test_frozen_layers_stay_and_the_others_train(engine, seeded, frozen, optimizer):
    model = make()
    for name in frozen:
        model.get_layer(name).trainable = False
    assert changed(model, lambda: fit(model, optimizer)) == set("abcd") - set(frozen)


@pytest.mark.parametrize("frozen", ["a", "ab", "c", "ac"])
def test_freezing_changes_nothing_for_the_first_step_of_the_others(seeded, frozen):
    def step(names):
        fastmlp.utils.set_random_seed(3)
        model = make()
        for name in names:
            model.get_layer(name).trainable = False
        model.compile("sgd", "mse")
        model.train_on_batch(X, Y)
        return model

    free, held = step(""), step(frozen)
    for layer, other in zip(free.layers, held.layers, strict=True):
        if layer.name not in frozen and ("b" not in frozen):
            assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), other.get_weights(), strict=True)), layer.name


def test_freezing_between_compile_and_the_first_fit_takes_effect(engine, seeded):
    model = make()
    model.compile("adam", "mse")
    model.predict(X, verbose=0)
    model.get_layer("a").trainable = False
    assert changed(model, lambda: model.fit(X, Y, verbose=0)) == set("bcd")


def test_freezing_between_two_fits_is_an_error_that_says_to_compile_again(engine, seeded):
    model = fit(make())
    for frozen in (True, False):
        model.get_layer("a").trainable = not frozen
        for train in (lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y)):
            with pytest.raises(RuntimeError, match=r"trainable was changed after the model was trained.* call compile again"):
                train()
        model.evaluate(X, Y, verbose=0)
        model.compile("adam", "mse")
        assert ("a" not in changed(model, lambda: model.fit(X, Y, verbose=0))) == frozen


def test_freezing_and_releasing_between_two_fits_changes_nothing(engine, seeded):
    model = fit(make())
    model.get_layer("a").trainable = False
    model.get_layer("a").trainable = True
    assert changed(model, lambda: model.fit(X, Y, verbose=0)) == set("abcd")


def test_a_single_weight_can_be_frozen(engine, seeded):
    model = make()
    model.compile("adam", "mse")
    kernel, bias = model.get_layer("a").weights
    kernel.trainable = False
    held, moved = kernel.numpy(), bias.numpy()
    model.fit(X, Y, verbose=0)
    assert (kernel == held).all()
    assert (bias != moved).any()
    assert kernel not in {*model.trainable_weights}
    with pytest.raises(ValueError, match="is not updated by gradients"):
        model.get_layer("b").moving_mean.trainable = True


def test_freezing_while_the_model_is_trained_is_an_error(engine):
    model = make()
    model.compile("adam", "mse")

    def freeze(epoch, logs):
        model.get_layer("a").trainable = False

    with pytest.raises(RuntimeError, match=r"layer 'a' can't be changed while the model .* is being trained"):
        model.fit(X, Y, verbose=0, callbacks=[fastmlp.callbacks.LambdaCallback(on_epoch_end=freeze)])
    assert model.get_layer("a").trainable


@pytest.mark.parametrize("whole", [False, True])
def test_the_summary_says_what_fit_does(seeded, whole):
    model = make()
    model.compile("adam", "mse")
    if whole:
        model.trainable = False
    else:
        model.get_layer("c").trainable = False
    lines = []
    model.summary(print_fn=lines.append)
    before = model.get_weights()
    with pytest.warns(UserWarning, match="no trainable weights") if whole else nullcontext():
        model.fit(X, Y, verbose=0)
    pairs = zip(before, model.weights, strict=True)
    moved = sum(weight.size for old, weight in pairs if weight.trainable and (weight != old).any())
    assert f" Trainable params: {model.count_trainable()} " in "\n".join(lines)
    assert moved == model.count_trainable()


def test_freezing_keeps_weights_and_the_state_of_an_optimizer_that_stays(engine, seeded):
    model = fit(make())
    weights, state = model.get_weights(), variables_of(model.optimizer)
    model.get_layer("c").trainable = False
    model.compile(model.optimizer, "mse")
    others = variables_of(model.optimizer)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    model.get_layer("c").trainable = True
    model.compile(model.optimizer, "mse")
    after = variables_of(model.optimizer)
    assert state["iteration"] == after["iteration"] == 6
    assert others.keys() < after.keys() == state.keys()
    assert all(np.array_equal(after[name], value) for name, value in state.items())
    assert all(np.array_equal(others[name], state[name]) for name in others)


def test_a_frozen_batch_normalization_predicts_as_it_trains(engine, seeded):
    model = fit(make())
    model.get_layer("b").trainable = False
    model.compile("sgd", "mse")
    np.testing.assert_array_equal(model(X, training=True), model(X))
    model.get_layer("b").trainable = True
    model.compile("sgd", "mse")
    assert not np.allclose(model(X, training=True), model(X))


def test_a_whole_model_can_be_frozen_and_released(engine, seeded):
    model = make(trainable=False)
    assert not model.trainable
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 10
    assert changed(model, lambda: fit(model)) == set()
    model.trainable = True
    assert len(model.trainable_weights) == 8
    assert len(model.non_trainable_weights) == 2
    assert changed(model, lambda: fit(model)) == set("abcd")
    with pytest.raises(TypeError, match="trainable must be True or False, got 'yes'"):
        model.trainable = "yes"


@pytest.mark.parametrize("frozen", ["a", "c"])
def test_a_frozen_first_layer_on_sparse_input(frozen, seeded):
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.random(60, 400, 0.02, "csr", np.float32, random_state=0)
    weights = []
    for given in (x, x.toarray()):
        fastmlp.utils.set_random_seed(1)
        model = models.Sequential([layers.Input((400,)), layers.Dense(20, "relu", name="a"), layers.Dense(9, name="c"), layers.Dense(2)])
        model.get_layer(frozen).trainable = False
        assert frozen not in changed(model, lambda model=model, given=given: fit(model, x=given))
        weights.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_the_summary_tells_what_is_frozen_in_keras_s_words(seeded):
    model = make()
    text: list[str] = []
    model.get_layer("a").trainable = False
    model.summary(line_length=78, print_fn=text.append, show_trainable=True)
    assert " Total params: 167 (668.00 B)" in text[0]
    assert " Trainable params: 95 (380.00 B)" in text[0]
    assert " Non-trainable params: 72 (288.00 B)" in text[0]
    marks = [line.split("│")[4].strip() for line in text[0].splitlines() if line.startswith("│")]
    assert marks == ["N", "Y", "Y", "Y"]
    fit(model)
    model.summary(print_fn=text.append)
    assert f" Optimizer params: {2 * 95 + 2} " in text[1]


def test_frozen_layers_and_statistics_come_back_from_a_file(engine, seeded, tmp_path):
    model = make()
    model.get_layer("a").trainable = False
    straight = fit(model)
    path = tmp_path / "model.safetensors"
    straight.save(path)
    loaded = fastmlp.load_model(path)
    assert not loaded.get_layer("a").trainable
    assert np.array_equal(loaded.predict(X, verbose=0), straight.predict(X, verbose=0))
    for one in (straight, loaded):
        one.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(straight.get_weights(), loaded.get_weights(), strict=True))


def test_a_file_written_after_freezing_without_compiling_again_loads(engine, seeded, tmp_path):
    model = fit(make())
    model.get_layer("c").trainable = False
    path = tmp_path / "model.safetensors"
    model.save(path)
    assert changed(fastmlp.load_model(path), lambda: None) == set()
    loaded = fastmlp.load_model(path)
    assert changed(loaded, lambda: loaded.fit(X, Y, verbose=0)) == set("abd")

"""Programs as they stand in Keras courses, with nothing but their imports changed."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from fastmlp import utils


@pytest.fixture
def small_mnist(monkeypatch):
    """Digits that a small network tells apart at once, with the shapes and types of the real ones."""
    from fastmlp.datasets import mnist

    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, size=(10, 28, 28), dtype=np.uint8)

    def load_data(*args, **options):
        def part(n):
            labels = rng.integers(0, 10, size=n, dtype=np.uint8)
            noise = rng.integers(0, 60, size=(n, 28, 28), dtype=np.uint8)
            return (patterns[labels] // 2 + noise).astype(np.uint8), labels

        return part(640), part(200)

    monkeypatch.setattr(mnist, "load_data", load_data)


def test_the_first_program_of_a_course(engine, small_mnist, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    utils.clear_session()

    from fastmlp import layers, models
    from fastmlp.datasets import mnist
    from fastmlp.utils import to_categorical

    (train_images, train_labels), (test_images, test_labels) = mnist.load_data()

    network = models.Sequential()
    network.add(layers.Dense(512, activation="relu", input_shape=(28 * 28,)))
    network.add(layers.Dense(10, activation="softmax"))
    network.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics="accuracy")
    network.summary()

    train_images = train_images.reshape((640, 28 * 28))
    train_images = train_images.astype("float32") / 255
    test_images = test_images.reshape((200, 28 * 28))
    test_images = test_images.astype("float32") / 255
    train_labels = to_categorical(train_labels)
    test_labels = to_categorical(test_labels)

    network.fit(train_images, train_labels, epochs=5, batch_size=128)
    test_loss, test_acc = network.evaluate(test_images, test_labels)
    assert test_acc > 0.97

    printed = capsys.readouterr().out
    assert "401,920" in printed
    assert "5,130" in printed
    assert " Total params: 407,050 (1.55 MB)" in printed
    assert printed.count("5/5 ━━━━━━━━━━━━━━━━━━━━ ") == 5
    assert "Epoch 5/5" in printed

    network.save("numeros.safetensors")
    np.savez("test.npz", x=test_images, y=test_labels)
    program = """
        import numpy as np
        import fastmlp
        data = np.load("test.npz")
        network = fastmlp.load_model("numeros.safetensors")
        print(repr(network.evaluate(data["x"], data["y"], verbose=0)))
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.strip() == repr([test_loss, test_acc])


def test_two_sigmoid_layers(engine):
    from fastmlp.layers import Activation, Dense
    from fastmlp.models import Sequential

    model = Sequential()
    model.add(Dense(units=4, input_dim=3))
    model.add(Activation("sigmoid"))
    model.add(Dense(units=4))
    model.add(Activation("sigmoid"))
    model.compile(loss="mean_squared_error", optimizer="sgd", metrics=["accuracy"])
    x = np.eye(3)
    out = model.predict(x)
    assert out.shape == (3, 4)
    assert ((out > 0) & (out < 1)).all()
    hidden = 1 / (1 + np.exp(-(x @ model.layers[0].kernel + model.layers[0].bias)))
    np.testing.assert_allclose(out, 1 / (1 + np.exp(-(hidden @ model.layers[2].kernel + model.layers[2].bias))), rtol=1e-5)
    model.fit(x, np.eye(3, 4), epochs=2, verbose=0)


def test_a_regression_with_validation(engine):
    from fastmlp import layers, models

    def build_model():
        model = models.Sequential()
        model.add(layers.Dense(64, activation="relu", input_shape=(train_data.shape[1],)))
        model.add(layers.Dense(64, activation="relu"))
        model.add(layers.Dense(1))
        model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
        return model

    rng = np.random.default_rng(1)
    train_data = rng.normal(size=(200, 13))
    train_targets = train_data[:, 0] * 3 + 20
    mean = train_data.mean(axis=0)
    train_data -= mean
    train_data /= train_data.std(axis=0)

    all_mae_histories = []
    for i in range(2):
        val_data, val_targets = train_data[i * 50 : (i + 1) * 50], train_targets[i * 50 : (i + 1) * 50]
        partial_data = np.concatenate([train_data[: i * 50], train_data[(i + 1) * 50 :]], axis=0)
        partial_targets = np.concatenate([train_targets[: i * 50], train_targets[(i + 1) * 50 :]], axis=0)
        model = build_model()
        history = model.fit(partial_data, partial_targets, validation_data=(val_data, val_targets), epochs=30, batch_size=8, verbose=0)
        all_mae_histories.append(history.history["val_mae"])
    average = [np.mean([x[i] for x in all_mae_histories]) for i in range(30)]
    assert average[-1] < 0.2 * average[0]
    test_mse_score, test_mae_score = model.evaluate(train_data, train_targets, verbose=0)
    assert test_mse_score > test_mae_score**2


def test_a_binary_classifier_with_callbacks(engine):
    import fastmlp as keras
    from fastmlp import layers

    model = keras.Sequential(
        [
            keras.Input(shape=(2,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.01),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.BinaryAccuracy(name="acc")],
    )
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 2))
    y = (x[:, 0] + x[:, 1] > 0).astype("float32")
    stopper = keras.callbacks.EarlyStopping(monitor="val_acc", mode="auto", patience=5, restore_best_weights=True)
    history = model.fit(x, y, validation_split=0.25, epochs=40, callbacks=[stopper], verbose=0)
    assert set(history.history) == {"loss", "acc", "val_loss", "val_acc"}
    results = model.evaluate(x, y, verbose=0)
    assert dict(zip(model.metrics_names, results, strict=True))["acc"] > 0.95

"""summary() prints what Keras prints; the expected texts were taken from Keras 3.15."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import layers, models, optimizers, utils

CLASSIFIER = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ (None, 512)            │       401,920 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         5,130 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: {}
 Trainable params: 407,050 (1.55 MB)
 Non-trainable params: 0 (0.00 B)
"""

UNBUILT = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten (Flatten)               │ ?                      │   0 (unbuilt) │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ a_very_long_name_for_a_layer_i… │ ?                      │   0 (unbuilt) │
│ (Dense)                         │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ leaky_re_lu (LeakyReLU)         │ ?                      │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dropout (Dropout)               │ ?                      │             0 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
"""

TRAINABLE = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━┓
┃ Layer (type)                ┃ Output Shape          ┃    Param # ┃ Trai… ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━┩
│ flatten (Flatten)           │ (None, 784)           │          0 │   -   │
├─────────────────────────────┼───────────────────────┼────────────┼───────┤
│ a_very_long_name_for_a_lay… │ (None, 4)             │      3,140 │   Y   │
│ (Dense)                     │                       │            │       │
├─────────────────────────────┼───────────────────────┼────────────┼───────┤
│ leaky_re_lu (LeakyReLU)     │ (None, 4)             │          0 │   -   │
├─────────────────────────────┼───────────────────────┼────────────┼───────┤
│ dropout (Dropout)           │ (None, 4)             │          0 │   -   │
└─────────────────────────────┴───────────────────────┴────────────┴───────┘
 Total params: 3,140 (12.27 KB)
 Trainable params: 3,140 (12.27 KB)
 Non-trainable params: 0 (0.00 B)
"""


@pytest.fixture(autouse=True)
def fresh_names_and_a_terminal_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    utils.clear_session()


def plain(text):
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def classifier():
    model = models.Sequential()
    model.add(layers.Dense(512, activation="relu", input_shape=(28 * 28,)))
    model.add(layers.Dense(10, activation="softmax"))
    return model


def mixture():
    return models.Sequential(
        [layers.Flatten(), layers.Dense(4, name="a_very_long_name_for_a_layer_indeed_it_is"), layers.LeakyReLU(), layers.Dropout(0.5)]
    )


def test_the_classic_digit_classifier(capsys):
    classifier().summary()
    assert plain(capsys.readouterr().out) == CLASSIFIER.format("407,050 (1.55 MB)")


def test_a_trained_model_tells_the_optimizer_s_numbers(engine, capsys):
    model = classifier()
    model.compile(optimizer="rmsprop", loss="mse", engine=engine)
    model.train_on_batch(np.zeros((2, 784)), np.zeros((2, 10)))
    model.summary()
    assert plain(capsys.readouterr().out) == CLASSIFIER.format("814,102 (3.11 MB)") + " Optimizer params: 407,052 (1.55 MB)\n"


@pytest.mark.parametrize(
    ("optimizer", "numbers"),
    [
        (lambda: optimizers.SGD(0.1), 2),
        (lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)), 1),
        (lambda: optimizers.Nadam(), 2 * 407_050 + 3),
        (lambda: optimizers.Adafactor(), 407_050 + 784 + 512 + 2 + 512 + 10 + 2 + 2),  # with numbers for the biases that it has no rows of
    ],
)
def test_a_rate_that_can_be_set_and_nadam_s_product_count_as_numbers_of_the_optimizer(optimizer, numbers, capsys):
    model = classifier()
    model.compile(optimizer=optimizer(), loss="mse")
    model.train_on_batch(np.zeros((2, 784)), np.zeros((2, 10)))
    model.summary()
    assert f"Optimizer params: {numbers:,} (" in capsys.readouterr().out


def test_a_model_that_is_not_built(capsys):
    mixture().summary()
    assert plain(capsys.readouterr().out) == UNBUILT


def test_the_column_for_trainable_layers(capsys):
    model = mixture()
    model.build((None, 28, 28))
    model.summary(show_trainable=True)
    assert plain(capsys.readouterr().out) == TRAINABLE


def test_print_fn_gets_the_whole_text(capsys):
    texts = []
    classifier().summary(print_fn=texts.append)
    assert [plain(text) for text in texts] == [CLASSIFIER.format("407,050 (1.55 MB)")]
    assert capsys.readouterr().out == ""


def test_line_length_and_layer_range(capsys):
    classifier().summary(line_length=60, layer_range=("dense_1", "dense_1"))
    lines = plain(capsys.readouterr().out).splitlines()
    assert len(lines[1]) == 60
    assert sum("(Dense)" in line for line in lines) == 1
    with pytest.raises(ValueError, match="a line of 10 characters is too short"):
        classifier().summary(line_length=10)


def test_in_a_notebook_a_summary_for_print_fn_is_not_shown_as_well(monkeypatch):
    shown = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *args: shown.append(args))
    lines = []
    models.Sequential([layers.Dense(2, input_shape=(3,))]).summary(print_fn=lines.append)
    assert lines
    assert shown == []

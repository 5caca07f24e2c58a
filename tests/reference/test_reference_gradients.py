"""Backpropagation against finite differences, in float64 and along random directions.

For a direction v over all the parameters θ, the derivative of the loss is known twice: as gradient · v, and as
(L(θ + h·v) − L(θ − h·v)) / 2h. The two agree to about nine digits unless a parameter happens to sit within h of a kink.
"""

import numpy as np
import pytest
from loss_cases import constants_of, draw_targets

from fastmlp._engine.spec import Batches, Node, Objective, Parameter, Plan, Update
from fastmlp.reference import Network
from fastmlp.reference.activations import ACTIVATIONS, READ_INPUT
from fastmlp.reference.losses import LOGIT_LOSSES, LOSSES
from fastmlp.reference.operations import OPERATIONS

ROWS, INPUTS, HIDDEN, OUTPUTS = 9, 4, 6, 3
STEP = 1e-5


def dense_parameters(*shapes):
    return tuple(parameter for shape in shapes for parameter in (Parameter("kernel", shape), Parameter("bias", shape[1:])))


def perceptron(hidden="tanh", final="linear", rate=0.0):
    """input → dense → hidden activation → dropout → dense → final activation; the last dense layer writes buffer 4."""
    nodes = (
        Node("dense", (0,), 1, (0, 1)),
        Node("activation", (1,), 2, activation=hidden, alpha=0.2),
        Node("dropout", (2,), 3, rate=rate),
        Node("dense", (3,), 4, (2, 3)),
        Node("activation", (4,), 5, activation=final),
    )
    sums = 2 * HIDDEN if hidden == "glu" else HIDDEN
    widths = (INPUTS, sums, HIDDEN, HIDDEN, OUTPUTS, OUTPUTS)
    return Plan(widths, nodes, dense_parameters((INPUTS, sums), (HIDDEN, OUTPUTS)), output=5)


def network_of(plan, objective, seed=0):
    network = Network(plan, seed, dtype=np.float64)
    network.configure(objective, Update("sgd"))
    rng = np.random.default_rng(seed)
    for index, parameter in enumerate(plan.parameters):
        network.set_parameter(index, rng.normal(size=parameter.shape))
    return network


def data_for(objective, weighted=False, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, INPUTS))
    if objective.sparse:
        y = rng.integers(0, OUTPUTS, ROWS, dtype=np.int32)
    elif objective.loss.endswith("crossentropy"):
        y = rng.dirichlet(np.ones(OUTPUTS), ROWS)
    else:
        y = draw_targets(objective.loss, rng, ROWS, OUTPUTS)
    weight = rng.uniform(0.1, 2, ROWS) if weighted else None
    return Batches(x, y, weight, None, ROWS)


def assert_gradients_are_right(network, batches, directions=3):
    parameters = [network.get_parameter(i) for i in range(len(network.plan.parameters))]
    _, gradients = network.gradients(batches)
    rng = np.random.default_rng(1)

    def loss_at(distance, direction):
        for i, (parameter, part) in enumerate(zip(parameters, direction, strict=True)):
            network.set_parameter(i, parameter + distance * part)
        return network.gradients(batches)[0]

    length = np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
    assert length > 1e-4, "the test needs a slope to measure"
    for _ in range(directions):
        # Partly along the gradient, or a random direction may happen to lie across it.
        direction = [rng.normal(size=gradient.shape) + gradient / length for gradient in gradients]
        told = sum(float((gradient * part).sum()) for gradient, part in zip(gradients, direction, strict=True))
        near, far = (loss_at(step, direction) - loss_at(-step, direction) for step in (STEP, 2 * STEP))
        measured = (8 * near - far) / (12 * STEP)  # of fourth order: some of these losses bend a lot
        # A probability near 1 leaves few digits to 1 − p, whose logarithm is then measured no better than this.
        assert told == pytest.approx(measured, rel=1e-6, abs=1e-7 * length)


def objectives(final):
    """Every way to train a network that ends in ``final``: losses of its output, and losses that absorb it or read logits."""
    positive = ("kl_divergence", "poisson", "mean_squared_logarithmic_error", "gaussian_nll", "dice", "tversky")
    positive += ("sparse_categorical_generalized_cross_entropy", "sparse_circle")
    of_numbers = [loss for loss in LOSSES if not loss.endswith("crossentropy") and loss not in positive]
    usable = of_numbers if final == "linear" else [loss for loss in LOSSES if (final, loss) != ("sigmoid", "sparse_circle")]  # too long
    plain = [Objective(loss, source=5, parameters=constants_of(loss)) for loss in usable if loss != "gaussian_nll"]
    binary = [loss for loss in LOGIT_LOSSES if loss.startswith("binary")]
    absorbing = {"linear": list(LOGIT_LOSSES), "sigmoid": binary, "softmax": [loss for loss in LOGIT_LOSSES if loss not in binary]}[final]
    if final != "linear":
        plain += [Objective(loss, source=5, parameters=(0.3, 0.7, 0.0)) for loss in ("dice", "tversky")]  # of the whole batch
        plain.append(Objective("sparse_categorical_crossentropy", source=5, ignored=1))
    return plain + [Objective(loss, source=4, from_logits=True, parameters=constants_of(loss)) for loss in absorbing]


CASES = [(final, objective) for final in ("linear", "sigmoid", "softmax") for objective in objectives(final)]
CASE_NAMES = [f"{final}-{objective.loss}{'-logits' * objective.from_logits}-{index}" for index, (final, objective) in enumerate(CASES)]


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("hidden", ACTIVATIONS)
@pytest.mark.parametrize(("final", "objective"), CASES, ids=CASE_NAMES)
def test_backpropagation_agrees_with_finite_differences(final, objective, hidden, weighted):
    network = network_of(perceptron(hidden, final, rate=0.3), objective)
    assert_gradients_are_right(network, data_for(objective, weighted))


@pytest.mark.parametrize("activation", [name for name, activation in ACTIVATIONS.items() if not activation.rowwise])
def test_the_activation_of_a_dense_node_is_differentiated(activation):
    nodes = (Node("dense", (0,), 1, (0, 1), activation, alpha=0.2), Node("dense", (1,), 2, (2, 3)))
    plan = Plan((INPUTS, HIDDEN, OUTPUTS), nodes, dense_parameters((INPUTS, HIDDEN), (HIDDEN, OUTPUTS)), output=2)
    objective = Objective("mean_squared_error", source=2)
    assert_gradients_are_right(network_of(plan, objective), data_for(objective))


def test_a_dense_node_may_have_no_bias():
    nodes = (Node("dense", (0,), 1, (0,), "tanh"), Node("dense", (1,), 2, (1,)))
    parameters = (Parameter("kernel", (INPUTS, HIDDEN)), Parameter("kernel", (HIDDEN, OUTPUTS)))
    objective = Objective("mean_squared_error", source=2)
    network = network_of(Plan((INPUTS, HIDDEN, OUTPUTS), nodes, parameters, output=2), objective)
    assert_gradients_are_right(network, data_for(objective))


def test_a_parameter_used_by_two_nodes_gets_the_sum_of_both_gradients():
    nodes = (Node("dense", (0,), 1, (0, 1), "tanh"), Node("dense", (1,), 2, (2, 3), "tanh"), Node("dense", (2,), 3, (2, 3)))
    plan = Plan((INPUTS, OUTPUTS, OUTPUTS, OUTPUTS), nodes, dense_parameters((INPUTS, OUTPUTS), (OUTPUTS, OUTPUTS)), output=3)
    objective = Objective("mean_squared_error", source=3)
    assert_gradients_are_right(network_of(plan, objective), data_for(objective))


class Add:
    """output = a + b: what it takes to teach the engine a new operation."""

    def __init__(self, node, index):
        pass

    def forward(self, inputs, parameters, now):
        a, b = inputs
        return a + b, None

    def backward(self, saved, parameters, doutput):
        return [doutput, doutput], []


def test_a_buffer_read_by_two_nodes_gets_the_sum_of_both_gradients(monkeypatch):
    monkeypatch.setitem(OPERATIONS, "add", Add)
    nodes = (
        Node("dense", (0,), 1, (0, 1), "tanh"),
        Node("dense", (1,), 2, (2, 3), "sigmoid"),
        Node("add", (1, 2), 3),
        Node("add", (3, 3), 4),
    )
    plan = Plan((INPUTS, *[OUTPUTS] * 4), nodes, dense_parameters((INPUTS, OUTPUTS), (OUTPUTS, OUTPUTS)), output=4)
    objective = Objective("mean_squared_error", source=4)
    assert_gradients_are_right(network_of(plan, objective), data_for(objective))


@pytest.mark.parametrize("loss", ["binary_crossentropy", "categorical_crossentropy"])
def test_a_loss_that_absorbs_the_last_activation_has_the_gradient_of_the_two_apart(loss):
    final = "sigmoid" if loss == "binary_crossentropy" else "softmax"
    batches = data_for(Objective(loss, source=5))
    apart = network_of(perceptron(final=final), Objective(loss, source=5)).gradients(batches)
    together = network_of(perceptron(final=final), Objective(loss, source=4, from_logits=True)).gradients(batches)
    assert together[0] == pytest.approx(apart[0])
    for one, other in zip(together[1], apart[1], strict=True):
        assert one == pytest.approx(other)


def test_weights_of_two_count_rows_twice():
    objective = Objective("mean_squared_error", source=5)
    network = network_of(perceptron(), objective)
    batches = data_for(objective)
    doubled = Batches(batches.x, batches.y, np.full(ROWS, 2.0), None, ROWS)
    loss, gradients = network.gradients(batches)
    loss_doubled, gradients_doubled = network.gradients(doubled)
    assert loss_doubled == pytest.approx(2 * loss)
    for gradient, twice in zip(gradients, gradients_doubled, strict=True):
        assert twice == pytest.approx(2 * gradient)


@pytest.mark.parametrize(("activation", "alpha", "slope"), [("relu", 0.0, 0.0), ("leaky_relu", 0.2, 0.2)])
def test_the_slope_at_the_kink_is_that_of_the_left(activation, alpha, slope):
    z = np.zeros((1, 1))
    a = ACTIVATIONS[activation].forward(z, alpha)
    assert ACTIVATIONS[activation].backward(a, np.ones((1, 1)), alpha) == slope


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_neither_overflow_nor_change_dtype(name):
    z = np.array([[-1e30, -100, 0, 0, 100, 1e30]], np.float32)
    if name == "exponential":
        z = np.minimum(z, 80)
    with np.errstate(all="raise", under="ignore"):
        a = ACTIVATIONS[name].forward(z, 0.2)
        dz = ACTIVATIONS[name].backward(z if name in READ_INPUT | {"glu"} else a, np.ones_like(a), 0.2)
    assert np.isfinite(a).all()
    assert np.isfinite(dz).all()
    assert a.dtype == dz.dtype == np.float32

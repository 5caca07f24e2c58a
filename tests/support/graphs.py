"""Plans that are graphs, for tests that speak to the engines directly."""

from fastmlp._engine.spec import Node, Parameter, Plan


class Builder:
    """Makes a plan node by node; a method takes buffers and gives the new one."""

    def __init__(self, inputs):
        self.widths, self.nodes, self.parameters = [inputs], [], []

    def _add(self, op, inputs, columns, **fields):
        self.widths.append(columns)
        self.nodes.append(Node(op, inputs, len(self.widths) - 1, **fields))
        return len(self.widths) - 1

    def kernel(self, inputs, units):
        """Indices of a new kernel and bias."""
        self.parameters += [
            Parameter(f"{len(self.parameters)}/kernel", (inputs, units)),
            Parameter(f"{len(self.parameters)}/bias", (units,)),
        ]
        return len(self.parameters) - 2, len(self.parameters) - 1

    def dense(self, x, units, activation="linear", parameters=None):
        parameters = parameters or self.kernel(self.widths[x], units)
        return self._add("dense", (x,), units, parameters=parameters, activation=activation, alpha=0.2)

    def activation(self, x, name):
        return self._add("activation", (x,), self.widths[x], activation=name)

    def dropout(self, x, rate):
        return self._add("dropout", (x,), self.widths[x], rate=rate)

    def branches(self, x, count):
        return [self._add("branch", (x,), self.widths[x]) for _ in range(count)]

    def scale(self, x, factor):
        return self._add("scale", (x,), self.widths[x], alpha=factor)

    def slice(self, column, width):
        return self._add("slice", (0,), width, column=column, width=width)

    def merge(self, op, x, y):
        return self._add(op, (x, y), self.widths[x] + (self.widths[y] if op == "concatenate" else 0))

    def plan(self, output):
        return Plan(tuple(self.widths), tuple(self.nodes), tuple(self.parameters), output)


def residual(inputs=9, units=20, outputs=3):
    """Two residual blocks, one over an activation, with dropout between."""
    b = Builder(inputs)
    x = b.dense(0, units, "relu")
    for last in ("tanh", "linear"):
        left, right = b.branches(x, 2)
        x = b.merge("add", b.dense(b.dropout(b.dense(left, units + 5, "relu"), 0.25), units, last), right)
    return b.plan(b.activation(b.dense(x, outputs), "softmax"))


def joined(op):
    """Both sides of a join are trained, and one is a branch of the other."""

    def make(inputs=7, units=18, outputs=4):
        b = Builder(inputs)
        left, right = b.branches(0, 2)
        x = b.dense(left, units, "relu")
        y = b.dense(right, units, "relu")
        one, two, three = b.branches(y, 3)
        x = b.merge(op, x, one)
        z = b.merge(op, b.scale(two, 0.5), b.activation(three, "sigmoid"))
        return b.plan(b.dense(b.merge("concatenate", x, z), outputs))

    return make


def shared(inputs=6, units=6, outputs=2):
    """One kernel in three places, the input among them."""
    assert inputs == units
    b = Builder(inputs)
    kernel = b.kernel(inputs, inputs)
    x = b.dense(0, inputs, "tanh", kernel)
    left, right = b.branches(x, 2)
    x = b.merge("subtract", b.dense(b.dense(left, inputs, "tanh", kernel), inputs, "linear", kernel), right)
    return b.plan(b.dense(x, outputs))


def two_inputs(inputs=8, units=17, outputs=3):
    """Slices of the input, each with layers of its own; one goes past them."""
    b = Builder(inputs)
    x = b.dense(b.slice(0, inputs - 3), units, "relu")
    y = b.slice(inputs - 3, 3)
    y, past = b.branches(y, 2)
    y = b.dense(y, units + 1, "tanh")
    return b.plan(b.dense(b.merge("concatenate", b.merge("concatenate", x, y), past), outputs))


def gated(inputs=8, units=17, outputs=3):
    """Activations whose derivatives need their input, one of them over branches, and one over whole rows."""
    b = Builder(inputs)
    left, right = b.branches(b.dense(0, units), 2)
    x = b.merge("multiply", b.activation(left, "silu"), b.activation(right, "log_softmax"))
    return b.plan(b.dense(b.activation(b.dense(x, units), "gelu"), outputs))


GRAPHS = {
    "gated": gated,
    "residual": residual,
    "shared": shared,
    "two inputs": two_inputs,
    **{op: joined(op) for op in ("add", "subtract", "multiply", "maximum", "concatenate")},
}

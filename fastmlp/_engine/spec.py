"""The one contract between Python and the engines.

A model is compiled into a :class:`Plan` (which numbers are computed), an :class:`Objective` (what is minimised and measured) and an
:class:`Update` (how parameters move). ``fastmlp._core.Network`` and ``fastmlp.reference.Network`` take the same three objects, have the
same methods and give the same numbers. Nothing here knows a layer class or an engine: plain, immutable values only.

Matrices are row-major; a *buffer* holds one batch of one tensor, ``(rows, width)`` float32; buffer 0 is the network's input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Function = Callable[["np.ndarray"], "np.ndarray"]
BackwardFunction = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]

__all__ = [
    "EXACT_INT_LIMIT",
    "Batches",
    "Bounds",
    "Constant",
    "LossFunction",
    "Metric",
    "Node",
    "Objective",
    "Parameter",
    "Penalty",
    "Plan",
    "SparseRows",
    "Table",
    "Update",
]


@dataclass(frozen=True, slots=True)
class Penalty:
    """A penalty on a parameter or on the output of a layer, added to the loss.

    It is ``l1·Σ|w| + l2·Σw²``, and ``orthogonal`` times the mean |cosine| of two different rows of a kernel, or of two columns.
    """

    l1: float = 0.0
    l2: float = 0.0
    orthogonal: float = 0.0
    columns: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """The constraint applied to a parameter after each update.

    ``kind`` is ``non_negative``, ``w = max(w, 0)``, or ``norm``: ``w *= d / (n + 1e-7)`` with
    ``d = rate·min(max(n, min_value), max_value) + (1 − rate)·n``, where n is the norm of each column of a kernel (``axis`` 0), of each row
    (1) or of the whole array (None). With ``function``, engines do nothing: the training loop calls it between two batches.
    """

    kind: str
    axis: int | None = 0
    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    function: Function | None = None
    name: str = ""
    """That of the function, for messages."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One array of the network: a matrix such as a kernel ``(inputs, units)``, or a vector such as a bias ``(units,)``.

    A ``flat`` one is a vector, an element for each column, that is seen and stored in another shape.
    """

    name: str
    shape: tuple[int, ...]
    penalty: Penalty | None = None
    bounds: Bounds | None = None
    trainable: bool = True
    """Whether the optimizer moves it. Moving statistics and frozen weights it leaves alone; their gradient reads as 0."""
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """An array of one shape, which is spread over the elements of rows as NumPy broadcasts it, but not before an engine needs it."""

    values: tuple[float, ...]
    shape: tuple[int, ...]
    row: tuple[int, ...]

    def spread(self) -> np.ndarray:
        """A number for each column, float64."""
        import numpy as np

        return np.broadcast_to(np.reshape(np.array(self.values), self.shape), self.row).ravel()


EXACT_INT_LIMIT = 1 << 24
"""Integers whose absolute value is below this are exact in float32."""


@dataclass(frozen=True, slots=True)
class Table:
    """What numbers are replaced by.

    ``keys`` ascend. In a lookup, a number that is ``keys[i]`` becomes ``values[i]``; any other integer becomes ``first`` plus one of
    the numbers 0 … ``buckets - 1``, chosen by ``method``:

    - ``"floormod"``: the number modulo ``buckets``;
    - ``"farmhash"``: FarmHash's Fingerprint64 of the number in decimal digits, modulo ``buckets``;
    - ``"siphash"``: the same with SipHash-2-4, whose key is ``salt``.

    Anything else becomes NaN: fractions, numbers beyond ``EXACT_INT_LIMIT``, and unknown numbers where there are no buckets.
    """

    keys: tuple[float, ...]
    values: tuple[float, ...] = ()
    first: int = 0
    buckets: int = 0
    method: str = "floormod"
    salt: tuple[int, int] = (0, 0)
    """Unsigned, 64 bits each."""


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the forward pass: reads buffers, writes one buffer.

    ``op`` is one of

    - ``"dense"``: ``output = activation(input @ kernel + bias)``; ``parameters`` holds the indices of the kernel and, if there is one, the
      bias. The derivative of the activation must follow from its output.
    - ``"activation"``: ``output = activation(input)``, elementwise or, like softmax, across the columns. ``glu`` halves the columns:
      ``input[:, :n] * sigmoid(input[:, n:])``.
    - ``"activity"``: ``output = input``; the mean over the rows of ``penalty.l1·Σ|input| + penalty.l2·Σinput²`` is added to the loss.
    - ``"dropout"``: while training, each element is kept with probability ``1 - rate`` and scaled by ``1 / (1 - rate)``; a copy otherwise.
    - ``"alpha_dropout"``, ``"gaussian_dropout"``, ``"gaussian_noise"``: other noise while training. ``rate`` is the standard deviation of
      gaussian noise.
    - ``"batch_normalization"``: with the moments of the batch while training, with the moving ones else and in the mode ``"inference"``.
    - ``"layer_normalization"``, ``"rms_normalization"``: every row by its own moments.
    - ``"normalization"``: ``(input - mean) / max(sqrt(variance), epsilon)``, or the way back in the mode ``"invert"``.
    - ``"rescaling"``: ``input * scale + offset``.
    - ``"prelu"``: ``input``, or ``alpha * input`` where it is negative.
    - ``"embedding"``: each column of the input, an integer, is replaced by that row of ``embeddings``.
    - ``"category_encoding"``: integers become columns, in the mode ``"one_hot"``, ``"multi_hot"`` or ``"count"``.
    - ``"lookup"``: each column of the input, an integer, is replaced by what ``table`` says.
    - ``"discretization"``: each column is replaced by how many of the ``table``'s keys are no larger.
    - ``"robust_scaling"``: ``z = (input - center) * scale``, which ``z / sqrt(1 + (z / max_value)²)`` keeps below ``max_value``; 0 where
      the input is NaN.
    - ``"missing"``: 1 where the input is NaN, 0 elsewhere, in the columns ``gathered``.
    - ``"piecewise_linear"``: each column, of B + 1 ``edges``, becomes B: ``(input - edge) / (next edge - edge)``, clipped to 0 … 1; but the
      first goes down to -1, and the last up to 2. All 0 where the input is NaN.
    - ``"periodic"``: each column becomes the sines, then the cosines, of 2π times its multiples by a row of ``coefficients``.
    - ``"piecewise_linear_embedding"``: each column that has edges becomes a vector: its first row of ``embeddings``, plus the product of
      its encoding in bins as above with its other rows.
    - ``"add"``, ``"subtract"``, ``"multiply"``, ``"divide"``, ``"maximum"``, ``"minimum"``: of two inputs, element by element;
      where two are equal, each has half a part in the gradient of the last two.
    - ``"dot"``: each input is vectors of length ``depth``, end to end; the product of each vector of the first with each of the second.
    - ``"concatenate"``: the columns of the first input, then those of the second.
    - ``"scale"``: ``alpha * input``.
    - ``"fold"``: each row becomes several, of as many columns as the output has; ``"unfold"``: the same backwards. Between the two, nodes
      act on each part of a row as on a row. Plans begin and end with whole rows.
    - ``"gather"``: the columns ``gathered`` of the input.
    - ``"average_pool"``, ``"maximum_pool"``: the input is vectors of the output's width, end to end: their mean, or their largest elements,
      where equal ones share the gradient.
    - ``"branch"``: the input, for one of several readers.
    - ``"slice"``: columns ``column … column + width`` of buffer 0.

    The last two read the network's input, or what slices and branches give of it. What ``embedding``, ``category_encoding``, ``lookup``,
    ``discretization``, ``robust_scaling``, ``missing``, ``piecewise_linear`` and ``piecewise_linear_embedding`` read depends on no
    parameter that is trained: no gradient goes through them.
    """

    op: str
    inputs: tuple[int, ...]
    output: int
    parameters: tuple[int, ...] = ()
    activation: str = "linear"
    alpha: float = 0.0
    """Slope of ``leaky_relu`` and ``general_relu`` to the left, factor of ``elu`` and ``celu``, the b of ``squareplus``, what ``threshold``
    gives up to its threshold; factor of a scale."""
    rate: float = 0.0
    """Fraction of elements a dropout node sets to zero, 0 ≤ rate < 1."""
    threshold: float = 0.0
    """Where ``general_relu``, the shrinks and ``threshold`` begin to let their input through; but for ``threshold`` at least 0."""
    max_value: float = math.inf
    """The maximum of ``general_relu``, ≥ 0; that of a robust scaling, > 0 and finite."""
    penalty: Penalty | None = None
    """Of an activity node: its l1 and l2."""
    functions: tuple[Function, BackwardFunction] | None = None
    """Of a ``custom`` activation, which only the reference engine runs: the value of an array z of inputs, and from z and the gradient of
    the value the gradient by z."""
    column: int = 0
    """Where a slice begins."""
    width: int = 0
    """Columns of the output of a slice, a fold, an unfold or a pool."""
    gathered: tuple[int, ...] = ()
    """The columns of the input that a gather or ``missing`` reads, one for each of its own."""
    depth: int = 0
    """Of a dot node: the length of the vectors."""
    roles: tuple[str, ...] = ()
    """What each of ``parameters`` is, by the names above (``gamma``, ``moving_mean``, …); a dense node's are the kernel and the bias."""
    constants: tuple[tuple[str, Constant], ...] = ()
    """Further constant arrays by role, with one number per column."""
    epsilon: float = 0.0
    momentum: float = 0.0
    """Of the moving statistics: what stays of them after a batch."""
    mode: str = ""
    """Which of several things the node does: see above. Noise and batch normalization of the mode ``"training"`` are as in training where
    ``apply`` is to run nodes as they were called, without an order for all of them."""
    tokens: int = 0
    """``category_encoding``: how many numbers there are."""
    drops: bool = False
    """``category_encoding``: whether -1 counts for no column, instead of being no number of the range."""
    table: Table | None = None
    """Of a lookup or a discretization."""
    edges: tuple[tuple[float, ...], ...] = ()
    """``piecewise_linear`` and its embedding: for each column of the input, the ascending edges of its bins; none, or at least two. Two
    neighbours differ by a normal number of float32."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A network as a topologically ordered list of nodes over numbered buffers.

    A buffer is written once and read by at most one node, unless all that read it are branches or slices. So a node's backward pass never
    has to ask whether it is the only one. Nodes may share parameters.
    """

    widths: tuple[int, ...]
    """Columns of each buffer; ``widths[0]`` is the number of input features."""
    nodes: tuple[Node, ...]
    parameters: tuple[Parameter, ...]
    output: int
    """The buffer that holds the predictions."""
    outputs: tuple[int, ...] = ()
    """Where a model has several outputs, the buffer of each; their columns stand side by side in ``output``."""
    rows: tuple[tuple[int, ...], ...] = ()
    """Where predictions have more axes than two, the shape of a row of each output; a buffer holds such rows flat."""

    def row(self, output: int | None = None) -> tuple[int, ...]:
        """The shape of a row of the predictions in a buffer, by default in that of all predictions."""
        if self.rows and (output is None or not self.outputs):
            return self.rows[0]
        return self.rows[self.outputs.index(output)] if self.rows and output is not None else (self.widths[output or self.output],)


@dataclass(frozen=True, slots=True)
class Metric:
    """A number averaged over rows beside the loss.

    ``kind`` is ``binary_accuracy``, ``categorical_accuracy``, ``sparse_categorical_accuracy`` or the name of a loss, taken on predictions.
    A weighted metric uses the sample weights: Σ w·value / Σ w.
    """

    kind: str
    weighted: bool = False
    threshold: float = 0.5
    """``binary_accuracy`` counts a prediction strictly above this as class 1."""
    from_logits: bool = False
    """Whether a cross-entropy reads unnormalised scores."""
    parameters: tuple[float, ...] = ()
    """See :class:`Objective`."""
    smoothing: float = 0.0
    """See :class:`Objective`."""
    source: int | None = None
    """The buffer it reads, where that is not the predictions but the input of the softmax or sigmoid that writes them."""

    @property
    def sparse(self) -> bool:
        """True when it reads integer labels."""
        return self.kind.startswith("sparse_")


LossFunction = Callable[["np.ndarray", "np.ndarray"], tuple["np.ndarray", "np.ndarray"]]
"""From targets and predictions, both ``(rows, outputs)`` float32, to the loss of each row, ``(rows,)``, and its derivative with respect to
the predictions, ``(rows, outputs)``."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What training minimises and measures.

    ``loss`` is one of the names in docs/losses.md. With ``from_logits`` the cross-entropies read unnormalised scores.

    A model with several outputs has a tuple of these, one for each loss; what is minimised is their weighted sum.

    ``source`` is the buffer the loss reads and where the backward pass begins. It is the output, except when the last node is a
    softmax or sigmoid that the loss absorbs: then ``from_logits`` is true, ``source`` is that node's input, and the engine writes the
    probabilities into the output buffer while it computes the loss.
    """

    loss: str
    source: int
    from_logits: bool = False
    metrics: tuple[Metric, ...] = ()
    parameters: tuple[float, ...] = ()
    """Constants of the loss, in the order of docs/losses.md: the δ of ``huber``, the γ of a focal loss."""
    smoothing: float = 0.0
    """Share of a cross-entropy's targets that is spread evenly: over all classes, or over yes and no."""
    function: LossFunction | None = None
    """The loss itself, where it is the user's own function; ``loss`` is then its name."""
    output: int | None = None
    """The buffer that holds the predictions; None for the plan's output."""
    weight: float = 1.0
    """Of this loss in the sum of all."""
    ignored: int | None = None
    """A label whose rows do not count: the loss of a batch is the mean over its other rows."""
    groups: int = 1
    """Rows of the buffers it reads for each row of the batch, where these are folded: each has its own targets; the loss is their mean."""
    mixes_rows: bool = False
    """Whether ``function`` returns losses that depend on several rows, so that the rows of a batch can't be weighted."""

    targets: int = 0
    """Columns of the targets that ``function`` reads, if not as many as predictions; there are no metrics then. 0 otherwise."""

    @property
    def sparse(self) -> bool:
        """True when targets are integer labels ``(rows,)``, false when they are float32 ``(rows, width)``."""
        return self.loss.startswith("sparse_")

    def target_columns(self, width: int) -> int:
        """Columns of a row's targets, where predictions have ``width`` columns; labels counted as one."""
        if self.targets:
            return self.targets
        if self.sparse:
            return self.groups
        return self.groups * (width // 2 if self.loss == "gaussian_nll" else width)


@dataclass(frozen=True, slots=True)
class Update:
    """An optimizer's rule and hyperparameters. The learning rate is a property of the network, because it changes during training.

    ``kind`` is ``sgd`` (momentum, nesterov), ``rmsprop`` (rho, momentum, epsilon, centered), ``adam`` (beta_1, beta_2, epsilon, amsgrad),
    ``adagrad`` (initial_accumulator, epsilon), ``adadelta`` (rho, epsilon), ``adamax``, ``nadam`` (beta_1, beta_2, epsilon), ``lion``
    (beta_1, beta_2), ``ftrl`` (initial_accumulator, l1, l2, shrinkage, power, beta), ``schedule_free`` (beta_1, beta_2, epsilon, warmup),
    ``lamb`` (beta_1, beta_2, epsilon), ``adafactor`` (beta_2_decay, epsilon, epsilon_2, clip_threshold, matrices) or ``muon`` (momentum,
    nesterov, newton_a, newton_b, newton_c, newton_steps, rms_rate, matrices; beta_1, beta_2, epsilon, vector_rate, vector_decay).
    Hyperparameters that a rule does not use are ignored; 0 disables an option. The fields from ``momentum`` to ``vector_decay`` are also
    rows of ``src/kernels/kernels.def``, by whose names the native engine reads them.

    The order of one update: the gradients of the penalties are added; the gradients of ``accumulate`` batches are averaged, and only the
    last of these batches takes a step; gradients are clipped; weights decay; the rule takes its step; the EMA is updated; constraints are
    applied.
    """

    kind: str
    momentum: float = 0.0
    nesterov: bool = False
    rho: float = 0.9
    centered: bool = False
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False
    rounded: bool = False
    """``adam`` on sparse input: deferred updates of a row may be applied as one sum, which is equal up to rounding."""
    initial_accumulator: float = 0.1
    l1: float = 0.0
    l2: float = 0.0
    shrinkage: float = 0.0
    power: float = 0.5
    """The exponent of the accumulated squared gradients."""
    beta: float = 0.0
    warmup: int = 0
    """Number of steps in which the learning rate rises linearly to its value."""
    beta_2_decay: float = -0.8
    """The weight of the newest squared gradient in step t is t to this power."""
    epsilon_2: float = 0.001
    """Minimum root mean square of a parameter, to which steps are proportional."""
    clip_threshold: float = 1.0
    """Maximum root mean square of a step before it is scaled by the learning rate."""
    newton_a: float = 3.4445
    """The polynomial a·x + b·x³ + c·x⁵ that singular values go through, in each of ``newton_steps`` iterations."""
    newton_b: float = -4.775
    newton_c: float = 2.0315
    newton_steps: int = 5
    rms_rate: float | None = 0.2
    """The root mean square of a step at a learning rate of 1; None for that of an orthogonal matrix."""
    vector_rate: float = 1.0
    """Learning rate of the parameters that are not in ``matrices``, as a multiple."""
    vector_decay: float = 0.0
    """Weight decay of the parameters that are not in ``matrices``."""
    matrices: tuple[int, ...] = ()
    """Indices of the parameters for which ``adafactor`` keeps mean squares of rows and columns, and which ``muon`` updates as matrices."""
    weight_decay: float = 0.0
    """``w −= learning rate · weight_decay · w`` before a step."""
    undecayed: tuple[int, ...] = ()
    """Indices of the parameters without weight decay."""
    clipnorm: float = 0.0
    """Maximum norm of the gradient of each parameter."""
    global_clipnorm: float = 0.0
    """Maximum norm of all gradients together."""
    clipvalue: float = 0.0
    """Maximum absolute value of each element of a gradient."""
    accumulate: int = 1
    """Number of batches whose mean gradient makes one step. ``iterations`` counts batches."""
    ema_momentum: float | None = None
    """Keep an exponential moving average of the parameters: ``a = momentum·a + (1 − momentum)·w``; w itself after the first step."""
    ema_overwrite_frequency: int = 0
    """Number of steps after which the parameters are replaced by their EMA."""

    @property
    def copies(self) -> tuple[str, ...]:
        """The slots that begin as copies of the parameters, as these are when the first batch is trained on."""
        return ("momentum",) * (self.kind == "schedule_free")

    def slot_shape(self, slot: str, index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what a slot holds for parameter ``index``, which has this shape; ``(0,)`` where that is nothing."""
        matrix = index in self.matrices
        if slot in ("row", "column"):
            return (0,) if not matrix else shape[:1] if slot == "row" else shape[1:]
        return (0,) if matrix and self.kind == "muon" and slot == "velocity" else shape

    def decay_of(self, index: int) -> float:
        """The weight decay of parameter ``index``."""
        if index in self.undecayed:
            return 0.0
        return self.vector_decay if self.kind == "muon" and index not in self.matrices else self.weight_decay

    def first(self, slot: str, index: int, w: np.ndarray) -> np.ndarray:
        """What a slot holds for parameter ``index`` before the first step, where that is ``w``: an array of its own."""
        import numpy as np

        if slot in self.copies:
            return w.copy()
        return np.full(self.slot_shape(slot, index, w.shape), self.initial_accumulator if slot == "accumulator" else 0.0, w.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """Rows without their zeros (compressed sparse rows).

    Row ``r`` has the number ``values[e]`` in column ``columns[e]`` for each entry ``starts[r] ≤ e < starts[r + 1]``; columns ascend. The
    first start need not be 0: a part of the rows shares the arrays of the whole.
    """

    starts: np.ndarray
    """``(rows + 1,)`` int64."""
    columns: np.ndarray
    """``(entries,)`` int32."""
    values: np.ndarray
    """``(entries,)`` float32."""
    width: int
    """Columns a row would have with its zeros."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, width)``."""
        return len(self), self.width

    @property
    def ndim(self) -> int:
        """2, as of an array."""
        return 2

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: slice) -> SparseRows:
        """Neighbouring rows, not copied."""
        start, stop, _ = rows.indices(len(self))
        return SparseRows(self.starts[start : max(start, stop) + 1], self.columns, self.values, self.width)


@dataclass(slots=True)
class Batches:
    """Checked arrays, and how they are cut into minibatches: batch ``i`` is rows ``order[i·batch_size : (i+1)·batch_size]``.

    The last batch may be shorter. All arrays are C-contiguous and have the same number of rows.
    """

    x: np.ndarray | SparseRows
    """``(rows, inputs)``, float32 or uint8, or the same without its zeros."""
    y: np.ndarray
    """``(rows, outputs)`` float32, half as many columns for ``gaussian_nll``, or int32 labels ``(rows,)`` where the loss is sparse; with
    groups ``(rows, groups · columns)``, or ``(rows, groups)`` labels. For several objectives float32, their columns side by side, labels as
    one column of integers."""
    sample_weight: np.ndarray | None
    """``(rows,)`` float32, or ``(rows, objectives)``; None for ones."""
    order: np.ndarray | None
    """``(rows,)`` uint32 permutation, or None for the order of the rows."""
    batch_size: int
    rates: np.ndarray | None = None
    """``(count,)`` float64: the learning rate of each batch, which becomes the network's when it is trained; None to leave that alone."""
    predictions: np.ndarray | None = None
    """``(at least the rows of the batches run, outputs)`` float32, or None. ``train`` and ``evaluate`` fill it with the outputs in the
    order of the batches; row 0 is the first row of the first batch that the call runs."""
    objective: Objective | tuple[Objective, ...] | None = None
    """What targets, weights and totals were made for: a network that has been configured for another one refuses them. None: for whatever
    the network is configured for."""

    @property
    def count(self) -> int:
        """The number of minibatches."""
        return -(-len(self.x) // self.batch_size)

"""Lowers a graph of layers to a :class:`~fastmlp._engine.spec.Plan`: layers become nodes, shapes become widths.

One pass over the calls makes the nodes. Further passes fuse activations into the dense nodes before them, drop nodes that no output
depends on, and insert branches where a tensor is read several times, since in a plan one node only may read a buffer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from fastmlp._base.shapes import Shape
from fastmlp._data.conversion import IntegerFeatures
from fastmlp._engine import backends
from fastmlp._engine.spec import EXACT_INT_LIMIT, Node, Parameter, Plan, Table
from fastmlp._graph.operation import PARALLEL, Operation
from fastmlp._graph.symbolic import Call, Graph, Tensor
from fastmlp._graph.weights import Weight

MAX_NODES, MAX_CALLS = 16384, 65536
"""Limits, because models inside models can expand to far more nodes than their configuration has layers."""


def make_plan(graph: Graph) -> tuple[Plan, list[Weight]]:
    """The plan of a graph of built layers, and the weights in the order of its parameters: layer by layer."""
    maker = _Maker(graph)
    nodes, outputs = _closed(_fused(maker.nodes, maker.outputs), maker.outputs, maker), maker.outputs
    if outputs == [0]:
        raise ValueError("the model has no layer that computes anything; add one, for example model.add(layers.Dense(10))")
    nodes = _branched(_needed(nodes, outputs), outputs, maker)
    rows = tuple(tensor.row for tensor in graph.outputs)
    return _numbered(maker, nodes, outputs, rows if any(len(row) != 1 for row in rows) else ())


def each_weight(layers: Iterable[Any], path: str = "", seen: set[Weight] | None = None) -> Iterator[tuple[str, Any, Weight]]:
    """The weights of layers, and of models among them, each once: the path of the models around it, its layer, and the weight."""
    seen = set() if seen is None else seen
    for layer in layers:
        if hasattr(layer, "layers"):
            yield from each_weight(layer.layers, f"{path}{layer.name}/", seen)
            continue
        for weight in layer._weights:
            if weight not in seen:
                seen.add(weight)
                yield path, layer, weight


@dataclass(slots=True, eq=False)
class _Draft:
    """A node whose buffers do not have their final numbers yet."""

    op: str
    inputs: tuple[int, ...]
    output: int
    fields: dict[str, Any]
    """The other fields of the :class:`Node`."""

    @property
    def activation(self) -> str:
        """The activation, ``linear`` without one."""
        name: str = self.fields.get("activation", "linear")
        return name


class _Maker:
    """Makes the nodes of a graph's calls, and numbers their buffers."""

    def __init__(self, graph: Graph) -> None:
        self.weights: list[Weight] = []
        self.parameters: list[Parameter] = []
        self._index: dict[Weight, int] = {}
        for path, layer, weight in each_weight(graph.layers):
            self._index[weight] = len(self.weights)
            self.weights.append(weight)
            self.parameters.append(weight.parameter(path, trainable=layer.trains(weight)))
        widths = [math.prod(tensor.row) for tensor in graph.inputs]
        self.widths = [sum(widths)]
        self.nodes: list[_Draft] = []
        self._folded: dict[int, int] = {}
        """For the output of an ``unfold``, its input."""
        self._calls = 0
        self._fixed = {0}
        """The buffers that depend on no trainable parameter."""
        self._numbers: dict[int, tuple[int, int]] = {}
        """For a buffer of integers that a layer returns, their minimum and maximum."""
        starts = (
            [0] if len(widths) == 1 else [self._slice(begin, width) for begin, width in zip(accumulate([0, *widths]), widths, strict=False)]
        )
        self._given = set(starts)
        self.outputs = [
            self._end_in_vectors(buffer, tensor.row) for buffer, tensor in zip(self.run(graph, starts), graph.outputs, strict=True)
        ]

    def _end_in_vectors(self, buffer: int, row: Shape) -> int:
        """The buffer of an output, unfolded from the vectors along its last axis, which some losses need."""
        groups = math.prod(row[:-1])
        if groups == 1 or (buffer in self._folded and self.widths[self._folded[buffer]] == row[-1]):
            return buffer
        return self._unfold(self._fold(buffer, groups), groups)

    def new_buffer(self, width: int) -> int:
        """The number of a buffer of this width."""
        self.widths.append(width)
        return len(self.widths) - 1

    def run(self, graph: Graph, inputs: Iterable[int], training: bool | None = None) -> list[int]:
        """The buffers of a graph's outputs; ``training``, from a call of a model, overrides that of the calls inside it."""
        buffers: dict[Tensor, int] = dict(zip(graph.inputs, inputs, strict=True))
        for call in graph.calls:
            self._calls += 1
            if self._calls > MAX_CALLS:
                raise ValueError(f"the model has more than {MAX_CALLS} calls of layers, with those of models inside it; make it smaller")
            given = [buffers[tensor] for tensor in call.inputs]
            inner = getattr(call.layer, "graph", None)
            mode = call.training if training is None else training
            results = [self._layer(call, given, mode)] if inner is None else self.run(inner, given, mode)
            buffers.update(zip(call.outputs, results, strict=True))
        return [buffers[tensor] for tensor in graph.outputs]

    def _layer(self, call: Call, inputs: Sequence[int], training: bool | None) -> int:
        return self._chain(call, call.layer.operations(call.inputs[0].row), inputs, training)

    def _chain(self, call: Call, operations: Sequence[Operation], inputs: Sequence[int], training: bool | None) -> int:
        """The buffer of the output of a layer's operations, one after another."""
        layer, buffer = call.layer, inputs[0]
        for operation in operations:
            if is_idle(operation):
                continue
            if operation.op == PARALLEL:
                buffer = self._concatenated([self._chain(call, branch, (buffer,), training) for branch in operation.branches])
                continue
            if operation.op in _JOINS:
                buffer = self._join(operation, call, inputs)
                continue
            if operation.op in READS_NUMBERS:
                self._check_numbers(layer, operation, buffer)
            elif operation.op in WITHOUT_GRADIENT:
                self._check_fixed(layer, buffer)
            if operation.op == "gather":
                buffer = self._gather(buffer, operation.settings["gathered"])
                continue
            settings: dict[str, Any] = {"rate": operation.rate, **operation.activation.fields(), **operation.settings}
            if training and operation.op in _OF_TRAINING and not settings.get("mode"):
                settings["mode"] = "training"
            groups = self._groups_of(operation, buffer)
            width = _columns_after(operation, self.widths[buffer] // groups)
            weights = [weight for weight in layer._weights if operation.weights is None or weight.name in operation.weights]
            if operation.op not in _WITHOUT_WEIGHTS:
                settings["parameters"] = tuple(self._index[weight] for weight in weights)
                width = math.prod(call.outputs[0].row) // groups
            if operation.columns is not None:
                width = operation.columns // groups
            elif operation.op == "dense":
                width = layer.units  # which the activation may change
            if operation.activation.kind == "glu":
                width //= 2
            if operation.op not in _WITHOUT_ROLES:
                settings.setdefault("roles", tuple(weight.name for weight in weights))
            buffer = self._unfold(self._node(operation.op, (self._fold(buffer, groups),), width, **settings), groups)
            if operation.op in _TABLES:
                self._numbers[buffer] = _numbers_given(operation.op, operation.settings["table"])
        return buffer

    def _groups_of(self, operation: Operation, buffer: int) -> int:
        """The number of parts of a sample that an operation is applied to separately; an elementwise activation takes its input's."""
        if operation.op == "activation" and buffer in self._folded and operation.activation.elementwise:
            return self.widths[buffer] // self.widths[self._folded[buffer]]
        return operation.groups

    def _fold(self, buffer: int, groups: int) -> int:
        """The buffer with each of ``groups`` parts of a sample as a row: ``[samples·groups, width/groups]``."""
        width = self.widths[buffer] // groups
        if groups == 1:
            return buffer
        if buffer in self._folded and self.widths[self._folded[buffer]] == width:
            return self._folded[buffer]
        return self._node("fold", (buffer,), width, width=width)

    def _unfold(self, buffer: int, groups: int) -> int:
        """The reverse of :meth:`_fold`."""
        if groups == 1:
            return buffer
        width = self.widths[buffer] * groups
        whole = self._node("unfold", (buffer,), width, width=width)
        self._folded[whole] = buffer
        return whole

    def _join(self, operation: Operation, call: Call, inputs: Sequence[int]) -> int:
        join, row = operation.op, call.outputs[0].row
        if join == "dot":
            return self._dot(operation, call, inputs)
        if join == "concatenate":
            columns = side_by_side([tensor.row for tensor in call.inputs], operation.settings["axis"])
            return self._gather(self._concatenated(inputs), columns)
        buffer, *others = [self._gather(buffer, spread(tensor.row, row)) for buffer, tensor in zip(inputs, call.inputs, strict=True)]
        for other in others:
            buffer = self._node("add" if join == "average" else join, (buffer, other), self.widths[buffer])
        return self._node("scale", (buffer,), self.widths[buffer], alpha=1 / len(inputs)) if join == "average" else buffer

    def _concatenated(self, buffers: Sequence[int]) -> int:
        buffer, *others = buffers
        for other in others:
            buffer = self._node("concatenate", (buffer, other), self.widths[buffer] + self.widths[other])
        return buffer

    def _gather(self, buffer: int, columns: np.ndarray) -> int:
        """The selected columns of a buffer; the buffer itself if they are all of its columns in order."""
        if np.array_equal(columns, np.arange(self.widths[buffer])):
            return buffer
        if buffer in self._given and np.array_equal(columns, columns[0] + np.arange(len(columns))):
            begin = next((node.fields["column"] for node in self.nodes if node.output == buffer), 0)
            part = self._slice(begin + int(columns[0]), len(columns))
            self._given.add(part)
            return part
        return self._node("gather", (buffer,), len(columns), gathered=tuple(columns.tolist()))

    def _dot(self, operation: Operation, call: Call, inputs: Sequence[int]) -> int:
        """Dot products of the two inputs along their ``axes``, which are moved to the end first."""
        sides = []
        for buffer, tensor, axis in zip(inputs, call.inputs, operation.settings["axes"], strict=True):
            depth, groups = tensor.row[axis], math.prod(tensor.row) // tensor.row[axis]
            vectors = self._gather(buffer, np.moveaxis(np.arange(math.prod(tensor.row)).reshape(tensor.row), axis, -1).ravel())
            if operation.settings["normalize"]:  # x / √(Σx²) = x / √(mean(x²)) / √depth
                folded = self._node("rms_normalization", (self._fold(vectors, groups),), depth)
                vectors = self._unfold(self._node("scale", (folded,), depth, alpha=1 / math.sqrt(depth)), groups)
            sides.append(vectors)
        return self._node("dot", tuple(sides), math.prod(call.outputs[0].row), depth=depth)

    def _check_numbers(self, layer: Any, operation: Operation, buffer: int) -> None:
        if buffer in self._given:
            return
        if buffer not in self._numbers:
            raise ValueError(
                f"layer {layer.name!r} reads integers, so it must be the first of the model, but {self._writer(buffer)} is before it"
            )
        lowest, highest = self._numbers[buffer]
        encodes, drops = operation.op == "category_encoding", operation.settings.get("drops", False)
        count = _numbers_taken(operation, [weight.parameter() for weight in layer._weights])
        if count is not None and (lowest < -drops or highest >= count):
            raise ValueError(
                f"layer {layer.name!r} reads integers from 0 to {count - 1}, but the layer before it returns {lowest} to {highest}; "
                f"set {'num_tokens' if encodes else 'input_dim'}={highest + 1}"
            )

    def _check_fixed(self, layer: Any, buffer: int) -> None:
        if buffer not in self._fixed:
            raise ValueError(
                f"no gradient flows through layer {layer.name!r}, so no layer before it may be trainable, "
                f"but {self._writer(buffer)} is; put it before that layer, or freeze the layers before it"
            )

    def _writer(self, buffer: int) -> str:
        return next(node.op for node in self.nodes if node.output == buffer)

    def _slice(self, column: int, width: int) -> int:
        return self._node("slice", (0,), width, column=column, width=width)

    def _node(self, op: str, inputs: tuple[int, ...], columns: int, **fields: Any) -> int:
        if len(self.nodes) >= MAX_NODES:
            raise ValueError(f"the model has more than {MAX_NODES} nodes, with those of models inside it; make it smaller")
        output = self.new_buffer(columns)
        self.nodes.append(_Draft(op, inputs, output, fields))
        if self._fixed.issuperset(inputs) and not any(self.parameters[index].trainable for index in fields.get("parameters", ())):
            self._fixed.add(output)
        if op in ("concatenate", "gather") and all(buffer in self._numbers for buffer in inputs):
            ranges = [self._numbers[buffer] for buffer in inputs]
            self._numbers[output] = min(low for low, _ in ranges), max(high for _, high in ranges)
        return output


_JOINS = frozenset({"add", "subtract", "multiply", "divide", "maximum", "minimum", "average", "concatenate", "dot"})


def spread(row: Shape, to: Shape) -> np.ndarray:
    """Indices into a sample of shape ``row`` that broadcast it to the shape ``to``, both flattened."""
    return np.broadcast_to(np.arange(math.prod(row)).reshape(row), to).ravel()


def side_by_side(rows: Sequence[Shape], axis: int) -> np.ndarray:
    """Indices that concatenate samples along an axis, into the flattened samples one after another."""
    starts = accumulate([0, *map(math.prod, rows)])
    parts = [start + np.arange(math.prod(row)).reshape(row) for start, row in zip(starts, rows, strict=False)]
    return np.concatenate(parts, axis=axis).ravel()


_TABLES = ("lookup", "discretization")
_ENCODINGS = ("robust_scaling", "missing", "piecewise_linear")
_READS_NAN = frozenset({"piecewise_linear_embedding", *_ENCODINGS})
"""Operations for which NaN is a missing value."""
WITHOUT_GRADIENT = frozenset({"discretization", *_READS_NAN})
"""Operations that read any numbers, and through which no gradient flows."""
_WITHOUT_WEIGHTS = frozenset({"activation", "activity", *_TABLES, *_ENCODINGS})
"""Operations without weights, whose width follows from that of their input."""
_WITHOUT_ROLES = _WITHOUT_WEIGHTS | {"dense"}
"""Operations whose weights, if any, are a kernel and a bias."""
_OF_TRAINING = ("dropout", "alpha_dropout", "gaussian_dropout", "gaussian_noise", "batch_normalization")
"""Operations that differ in training."""
READS_NUMBERS = frozenset({"embedding", "category_encoding", "lookup"})


def _columns_after(operation: Operation, width: int) -> int:
    """The columns of an operation without weights that reads ``width`` columns."""
    if operation.op == "missing":
        return len(operation.settings["gathered"])
    if operation.op == "piecewise_linear":
        return sum(len(edges) - 1 for edges in operation.settings["edges"] if edges)
    return width


def _numbers_given(op: str, table: Table) -> tuple[int, int]:
    """The minimum and the maximum of the integers that a lookup or a discretization returns."""
    if op == "discretization":
        return 0, len(table.keys)
    ends = [*map(int, table.values), *((table.first, table.first + table.buckets - 1) if table.buckets else ())]
    return min(ends, default=0), max(ends, default=0)


def _numbers_taken(step: Operation | Node, parameters: Sequence[Parameter]) -> int | None:
    """The count n of an operation that takes integers in [0, n); None for a lookup, which takes any."""
    if step.op == "lookup":
        return None
    if step.op == "embedding":
        return parameters[0].shape[0]
    return step.tokens if isinstance(step, Node) else int(step.settings["tokens"])


def numbers_read(plan: Plan) -> tuple[IntegerFeatures, ...]:
    """The features of the network's input that must be integers."""
    begin = {0: 0}
    found = []
    for node in plan.nodes:
        start = begin.get(node.inputs[0])
        if start is None:
            continue
        if node.op in ("slice", "branch"):
            begin[node.output] = start + node.column
        elif node.op in READS_NUMBERS:
            end, count = start + plan.widths[node.inputs[0]], _numbers_taken(node, [plan.parameters[index] for index in node.parameters])
            if count is not None:
                found.append(IntegerFeatures(start, end, -int(node.drops), count - 1))
            elif node.table is not None:
                known = None if node.table.buckets else node.table.keys
                found.append(IntegerFeatures(start, end, 1 - EXACT_INT_LIMIT, EXACT_INT_LIMIT - 1, known))
    return tuple(found)


def gaps_read(plan: Plan) -> np.ndarray | None:
    """Of each feature of the network's input, whether it may be missing, NaN: it is if only encodings read it. None if none may."""
    if not any(node.op in _READS_NAN for node in plan.nodes):
        return None
    begin = {0: 0}
    encoded, others = np.zeros((2, plan.widths[0]), bool)
    for node in plan.nodes:
        for buffer in node.inputs:
            start = begin.get(buffer)
            if start is None:
                continue
            if node.op in ("slice", "branch"):
                begin[node.output] = start + node.column
            else:
                (encoded if node.op in _READS_NAN else others)[start : start + plan.widths[buffer]] = True
    gaps = encoded & ~others
    return gaps if gaps.any() else None


def is_as_in_training(plan: Plan) -> bool:
    """Whether some layer is called with ``training=True``, so that model(x) differs from predict."""
    return any(node.mode == "training" for node in plan.nodes)


def is_idle(operation: Operation) -> bool:
    """Whether an operation is the identity."""
    return operation.op == "activation" and operation.activation.kind == "linear"


def _readers(nodes: Iterable[_Draft], outputs: Iterable[int]) -> dict[int, int]:
    """The number of readers of each buffer that is read: nodes, and outputs."""
    readers: dict[int, int] = {}
    for buffer in (*(buffer for node in nodes for buffer in node.inputs), *outputs):
        readers[buffer] = readers.get(buffer, 0) + 1
    return readers


def _fused(nodes: Sequence[_Draft], outputs: Sequence[int]) -> list[_Draft]:
    """The nodes, with elementwise activations fused into the dense nodes before them that no other node reads."""
    readers = _readers(nodes, outputs)
    result: list[_Draft] = []
    writer: dict[int, int] = {}
    for node in nodes:
        below = writer.get(node.inputs[0], -1)
        if below >= 0 and readers[node.inputs[0]] == 1 and _fits_into_dense(node, result[below], last=node.output in outputs):
            dense = result[below]
            result[below] = _Draft("dense", dense.inputs, node.output, {**node.fields, "parameters": dense.fields["parameters"]})
            writer[node.output] = below
        else:
            writer[node.output] = len(result)
            result.append(node)
    return result


def _fits_into_dense(node: _Draft, below: _Draft, *, last: bool) -> bool:
    if node.op != "activation" or node.activation not in backends.module("native").FUSED_ACTIVATIONS:
        return False
    if last and node.activation == "sigmoid":
        return False  # a separate node, which binary cross-entropy can fuse with
    return below.op == "dense" and below.activation == "linear"


def _closed(nodes: Sequence[_Draft], outputs: list[int], maker: _Maker) -> list[_Draft]:
    """The nodes, with a copy of the softmax or sigmoid for each output that other nodes read too, so that a loss can use its logits."""
    result = list(nodes)
    closing = {node.output: node for node in nodes if node.op == "activation" and node.activation in ("softmax", "sigmoid")}
    if closing.keys().isdisjoint(outputs):
        return result
    readers = _readers(nodes, outputs)
    for index, buffer in enumerate(outputs):
        node = closing.get(buffer)
        if node is not None and readers[buffer] > 1:
            outputs[index] = maker.new_buffer(maker.widths[buffer])
            readers[buffer] -= 1
            result.append(_Draft(node.op, node.inputs, outputs[index], node.fields))
    return result


def _needed(nodes: Sequence[_Draft], outputs: Iterable[int]) -> list[_Draft]:
    """The nodes that an output depends on."""
    wanted = set(outputs)
    result = []
    for node in reversed(nodes):
        if node.output in wanted:
            wanted.update(node.inputs)
            result.append(node)
    return result[::-1]


def _branched(nodes: Sequence[_Draft], outputs: list[int], maker: _Maker) -> list[_Draft]:
    """The nodes, with a branch for each reader of a buffer that has several: nodes, or outputs."""
    readers = _readers([node for node in nodes if node.op != "slice"], outputs)
    result: list[_Draft] = []

    def branch(buffer: int) -> int:
        if readers[buffer] == 1:
            return buffer
        result.append(_Draft("branch", (buffer,), maker.new_buffer(maker.widths[buffer]), {}))
        return result[-1].output

    for node in nodes:
        inputs = node.inputs if node.op == "slice" else tuple(branch(buffer) for buffer in node.inputs)
        result.append(_Draft(node.op, inputs, node.output, node.fields))
    outputs[:] = [branch(buffer) for buffer in outputs]
    return result


def _numbered(maker: _Maker, nodes: Sequence[_Draft], outputs: Sequence[int], rows: tuple[Shape, ...]) -> tuple[Plan, list[Weight]]:
    """The plan, with buffers numbered in the order they are written; several outputs are concatenated into one more buffer."""
    number = {0: 0, **{node.output: index for index, node in enumerate(nodes, 1)}}
    made = [Node(node.op, tuple(number[buffer] for buffer in node.inputs), number[node.output], **node.fields) for node in nodes]
    widths = [maker.widths[0], *(maker.widths[node.output] for node in nodes)]
    buffer, *others = ends = [number[output] for output in outputs]
    for other in others:
        widths.append(widths[buffer] + widths[other])
        made.append(Node("concatenate", (buffer, other), len(widths) - 1))
        buffer = len(widths) - 1
    plan = Plan(tuple(widths), tuple(made), tuple(maker.parameters), buffer, tuple(ends) if others else (), rows)
    return plan, maker.weights

"""The reference engine: a complete neural network engine in plain NumPy, written to be read.

It is the twin of the compiled engine. ``reference.Network`` has the methods of ``_core.Network``, draws the same random numbers and
computes the same results up to rounding; ``model.compile(..., engine="reference")`` selects it. To learn how a network learns, read

1. ``activations.py``: the functions between the layers, and their derivatives;
2. ``operations.py``: what the nodes of a network compute, such as dense layers, and their part of the chain rule; more of them are in
   ``normalization.py``, ``noise.py``, ``merges.py``, ``arrangements.py`` and ``categories.py``;
3. ``losses.py`` and ``metrics.py``: how wrong a prediction is, and in which direction to correct it;
4. ``network.py``: the forward pass, backpropagation and the training loop that ties everything together;
5. ``optimizers.py``: how a gradient becomes a step;
6. ``random.py``: the counter-based random numbers behind shuffling and dropout.

Everywhere ``dv`` stands for ∂L/∂v, the derivative of the loss L with respect to an array v; it has the shape of v. ``rows`` is the
number of samples in a batch, one per row. Every function keeps the dtype of its arrays: float32 in use, float64 to check gradients.
"""

from fastmlp.reference.network import Network
from fastmlp.reference.random import shuffle

__all__ = ["Network", "shuffle"]

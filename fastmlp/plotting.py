"""Pictures of a training run: loss and accuracy over the epochs, and the decision boundary of a network with two inputs.

Needs matplotlib: ``pip install "fastmlp[plot]"``. A notebook shows the figures by itself; ``figure.show()`` opens a window, and
``figure.savefig("training.png")`` writes a file.
"""

from fastmlp._plotting.drawing import draw_live, new_figure, plot_decision_boundary, plot_history, plot_learning_rates, plot_training
from fastmlp.sweep.plot import plot_sweep

__all__ = ["draw_live", "new_figure", "plot_decision_boundary", "plot_history", "plot_learning_rates", "plot_sweep", "plot_training"]

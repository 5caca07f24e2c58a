"""Matplotlib figures that notebooks display, and that ``show()`` opens in a window.

Figures are created without pyplot, so that no window opens before ``show()`` and threads may draw. Needs matplotlib.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any

try:
    from matplotlib import figure
except ImportError:
    raise ImportError('plotting needs matplotlib: pip install "fastmlp[plot]"') from None

__all__ = ["Figure", "in_notebook", "window_backends"]


class Figure(figure.Figure):
    """A matplotlib figure that works without pyplot."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The PNG that a notebook displays, in the size of the figure at any resolution."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        width, height = (int(72 * inches) for inches in self.get_size_inches())
        return picture.getvalue(), {"width": width, "height": height}

    def show(self, warn: bool = True) -> None:
        """Display the figure: below the cell of a notebook, otherwise in a window, until it is closed.

        Args:
            warn: Whether to warn if neither is available.
        """
        if in_notebook():
            from IPython.display import display

            display(self)
            return
        from matplotlib import pyplot

        if pyplot.get_backend().lower() not in window_backends():
            if warn:
                warnings.warn(
                    f"matplotlib can't open windows here (its backend is {pyplot.get_backend()}); write the figure to a file: "
                    "figure.savefig('figure.png')",
                    stacklevel=2,
                )
            return
        window: Any = pyplot.figure(figsize=self.get_size_inches())  # only its window is used, which then displays this figure
        window.canvas.figure = self
        self.set_canvas(window.canvas)
        pyplot.show()


def in_notebook() -> bool:
    """Whether the program runs in a Jupyter notebook."""
    return "ipykernel" in sys.modules


def window_backends() -> list[str]:
    """The names of matplotlib's interactive backends."""
    from matplotlib.backends import registry

    backends: Any = registry.backend_registry  # untyped if matplotlib is installed, unknown if it is not
    return [name.lower() for name in backends.list_builtin(registry.BackendFilter.INTERACTIVE)]

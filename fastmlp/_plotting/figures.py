"""Figures that notebooks show by themselves, and that ``show()`` opens in a window.

Figures are made without pyplot, so no window opens before it is asked for and threads may draw. Needs matplotlib.
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
    """A figure of matplotlib that also works where pyplot was not imported."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """What a notebook shows, in the size of the figure whatever its resolution."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        width, height = (int(72 * inches) for inches in self.get_size_inches())
        return picture.getvalue(), {"width": width, "height": height}

    def show(self, warn: bool = True) -> None:
        """Show the figure: under the cell of a notebook, else in a window, until that is closed.

        Args:
            warn: Whether to warn where there is neither.
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
        window: Any = pyplot.figure(figsize=self.get_size_inches())  # for its window; what it shows is this figure
        window.canvas.figure = self
        self.set_canvas(window.canvas)
        pyplot.show()


def in_notebook() -> bool:
    """True in a Jupyter notebook."""
    return "ipykernel" in sys.modules


def window_backends() -> list[str]:
    """Names of the backends of matplotlib that open windows."""
    from matplotlib.backends import registry

    backends: Any = registry.backend_registry  # without types where matplotlib is installed, unknown where it is not
    return [name.lower() for name in backends.list_builtin(registry.BackendFilter.INTERACTIVE)]

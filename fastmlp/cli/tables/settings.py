"""The network and the training that are used for tables by default."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LINEAR", "TableSettings", "for_rows"]


@dataclass(frozen=True, slots=True)
class TableSettings:
    """How a table is learned."""

    hidden: tuple[int, ...] = (256, 256)
    activation: str = "relu"
    dropout: float = 0.1
    optimizer: str = "adamw"
    learning_rate: float | None = 1e-3
    """None for the optimizer's default."""
    weight_decay: float = 0.02
    """Of the optimizer ``adamw``; others have none by default."""
    averaged_epochs: float = 2.0
    """The weights that are validated and kept are a moving average over about so many epochs."""
    batch_size: int = 256
    epochs: int = 256
    """The maximum."""
    patience: int = 8
    """Training stops after so many epochs without a lower loss on the validation rows, with the weights of the best epoch."""
    validation_fraction: float = 0.2
    """Of the rows that are not for the test."""
    bins: bool = True
    """Whether numbers may be encoded by bins."""


LINEAR = TableSettings(hidden=(), dropout=0.0, optimizer="adam", learning_rate=1e-2, epochs=100, patience=5, bins=False)
"""A logistic or linear regression, for comparison."""


def for_rows(rows: int) -> TableSettings:
    """The settings for a number of training rows."""
    if rows < 2_000:
        return TableSettings(batch_size=32, patience=16)
    return TableSettings(batch_size=128 if rows < 10_000 else 256)

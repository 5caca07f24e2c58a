"""The interface through which models call :mod:`fastmlp.saving`, which imports models and so can't be imported here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from fastmlp._base.configs import Config, StoredConfig

if TYPE_CHECKING:
    from fastmlp._base.files import ModelSource, ModelTarget  # the module imports json and tempfile, which only saving needs

__all__ = ["Storage", "provide", "storage"]


class Storage(Protocol):
    """The functions that models call, with themselves as ``model``; see the methods of the same names of :class:`fastmlp.Model`."""

    def save_model(
        self, model: Any, filepath: ModelTarget, overwrite: bool, zipped: bool | None, *, include_optimizer: bool, save_format: str | None
    ) -> None: ...

    def save_weights(self, model: Any, filepath: ModelTarget, overwrite: bool, max_shard_size: float | None) -> None: ...

    def load_weights(self, model: Any, filepath: ModelSource, skip_mismatch: bool) -> None: ...

    def to_json(self, model: Any, options: Mapping[str, object]) -> str: ...

    def read_config(self, kind: str, config: StoredConfig) -> Config:
        """A model's configuration in the form of ``get_config``, from one in the form of Keras."""
        ...


_find: Callable[[], Storage] | None = None


def provide(find: Callable[[], Storage]) -> None:
    """Register a function that returns the storage; :mod:`fastmlp.models` does so, to import :mod:`fastmlp.saving` only when needed."""
    global _find
    _find = find


def storage() -> Storage:
    """The registered storage."""
    assert _find is not None
    return _find()

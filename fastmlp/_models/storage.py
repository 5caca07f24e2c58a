"""How models reach the code that writes and reads their files, which stands above them and knows their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = ["Storage", "provide", "storage"]


class Storage(Protocol):
    """What models ask of files: see the methods of the same names of :class:`fastmlp.Model`."""

    def save_model(
        self, model: Any, filepath: Any, overwrite: bool, zipped: bool | None, *, include_optimizer: bool, save_format: str | None
    ) -> None: ...

    def save_weights(self, model: Any, filepath: Any, overwrite: bool, max_shard_size: float | None) -> None: ...

    def load_weights(self, model: Any, filepath: Any, skip_mismatch: bool) -> None: ...

    def to_json(self, model: Any, options: Mapping[str, Any]) -> str: ...

    def read_config(self, kind: str, config: Any) -> dict[str, Any]:
        """What ``get_config`` gives for a model that Keras described."""
        ...


_find: Callable[[], Storage] | None = None


def provide(find: Callable[[], Storage]) -> None:
    """Say where the code is that writes and reads files: :mod:`fastmlp.models` does without loading it, and it does itself when it is."""
    global _find
    _find = find


def storage() -> Storage:
    """The code that writes and reads files."""
    assert _find is not None
    return _find()

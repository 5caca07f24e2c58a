"""How models reach the code that writes and reads their files, which stands above them and knows their classes."""

from __future__ import annotations

from collections.abc import Mapping
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


_provided: list[Storage] = []


def provide(storage: Storage) -> None:
    """Say who writes and reads files; :mod:`fastmlp.saving` does when it is imported, as :mod:`fastmlp.models` imports it."""
    _provided[:] = [storage]


def storage() -> Storage:
    """Who writes and reads files."""
    return _provided[0]

"""Parquet files as named columns. Needs pyarrow."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.tables.columns import Column

__all__ = ["read_parquet"]

_INDEX = re.compile(r"__index_level_\d+__")
"""The names by which pandas writes an index."""


def read_parquet(path: str) -> tuple[list[str], list[Column]]:
    """The names and the columns of a file, without an index of pandas; columns of lists and structures become text.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: It is not a Parquet file.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ImportError(f'{path}: Parquet files need pyarrow: pip install "fastmlp[parquet]", or save the table as CSV') from None
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a Parquet file that pyarrow can read: {error}") from None
    kept = [place for place, name in enumerate(table.column_names) if not _INDEX.fullmatch(name)]
    return [table.column_names[place] for place in kept], [_column(table.column(place)) for place in kept]


def _column(chunks: Any) -> Column:
    import pyarrow as pa

    kind = chunks.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _factorized(chunks.cast(pa.float64()).to_numpy())
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _factorized(chunks.cast(pa.timestamp("s"), safe=False).to_numpy())
    try:
        encoded = (chunks if pa.types.is_dictionary(kind) else chunks.cast(pa.string()).dictionary_encode()).combine_chunks()
    except pa.ArrowException:
        encoded = pa.array([str(value) for value in chunks.to_pylist()]).dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = [None if value is None else str(value).strip() for value in encoded.dictionary.to_pylist()]
    distinct = np.empty(len(values) + 1, object)
    distinct[:] = [*values, None]
    return Column(distinct, encoded.indices.fill_null(len(values)).to_numpy().astype(np.int32))


def _factorized(values: NDArray[Any]) -> Column:
    distinct, codes = np.unique(values, return_inverse=True)
    return Column(distinct, codes.astype(np.int32))

"""Names of files with tables."""

from __future__ import annotations

__all__ = ["PARQUET_ENDINGS", "STDIN", "TEXT_ENDINGS", "is_table"]

STDIN = "-"
TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".data")
PARQUET_ENDINGS = (".parquet", ".pq")


def is_table(name: str) -> bool:
    """Whether a name is ``-``, for the standard input, or ends as the names of tables do."""
    return name == STDIN or name.lower().removesuffix(".gz").endswith(TEXT_ENDINGS) or name.lower().endswith(PARQUET_ENDINGS)

"""The constants by which tables are encoded."""

from __future__ import annotations

BINS = 32
"""The number of bins of a number column by default, in an encoding that has bins."""
BIN_DIM = 16
"""The size of the vector of a number in bins by default."""
SAMPLES_FOR_BINS = 2000
"""With fewer samples, there are no bins by default: they cost more by overfitting than they gain."""
MAX_ONE_HOT = 8
"""The maximum number of categories of a column that is encoded one-hot by default; a column with more is embedded."""
EMBEDDING_DIM = 8
"""The size of the vectors of embedded categories by default."""
MIN_COUNT = 2
"""Categories of an embedded column that are seen less often share the vector of unknown ones: values that were seen once are the best
model of those that were never seen."""
MAX_CATEGORIES = 1 << 16
"""The maximum number of categories of a column; less frequent ones count as unknown."""
OUTLIERS = 0.01
"""The share of the smallest and of the largest values that count as the ends of the others for the scale of a number column."""
LIMIT = 10.0
"""Scaled numbers stay below this, z / √(1 + (z / limit)²)."""
RESOLUTION = 1e-3
"""The maximum distance of two neighbours in float32, relative to the spread of a column, before an origin is subtracted in float64."""

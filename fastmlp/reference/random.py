"""Random numbers that can be computed in any order: Philox4x32-10, shuffling, dropout masks and normal deviates.

A usual generator is a chain: to know the millionth number one must draw all before it. A counter-based generator is a function:
it scrambles a counter (which number?) with a key (which stream?) so thoroughly that the results look random. So threads can draw their
numbers independently, a mask can be drawn again instead of stored, and a run that is stopped and resumed goes on with the same numbers.

Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import numpy as np

__all__ = ["deviates", "dropout_mask", "noise_key", "philox", "shuffle"]

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
"""Added to the key after each round: the fractions of the golden ratio and of √3."""
ROUNDS = 10
WORD = 0xFFFFFFFF
"""The largest 32-bit word, and the mask that keeps the lower half of a 64-bit number."""
SHUFFLE_STREAM = 0xFFFFFFFF
"""Fourth word of a shuffle's counters. A dropout's holds its node's index, so the two never meet."""
KEY_STREAM = 0xFFFFFFFE
"""Fourth word of the counters from which keys are derived."""

Word = int | np.ndarray


def philox(counter: tuple[Word, Word, Word, Word], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scrambles counters of four 32-bit words into four random 32-bit words.

    Args:
        counter: Four arrays of integers in [0, 2³²), broadcast against each other; some may be plain integers.
        seed: The key, an integer in [0, 2⁶⁴).

    Returns:
        Four uint64 arrays of the counters' common shape, each holding random integers in [0, 2³²).

    Raises:
        ValueError: The seed is out of range.

    Example:
        >>> [hex(word[0]) for word in philox((np.arange(2), 0, 0, 0), seed=0)]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer ≥ 0 and < 2**64, got {seed}")
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(word, dtype=np.uint64) for word in counter))
    k0, k1 = seed & WORD, seed >> 32
    for _ in range(ROUNDS):
        product0, product1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (product1 >> 32) ^ c1 ^ k0, product1 & WORD, (product0 >> 32) ^ c3 ^ k1, product0 & WORD
        k0, k1 = (k0 + KEY_STEPS[0]) & WORD, (k1 + KEY_STEPS[1]) & WORD
    return c0, c1, c2, c3


def shuffle(seed: int, epoch: int, order: np.ndarray) -> None:
    """Fills ``order`` with the permutation of 0 … n−1 that belongs to a seed and an epoch.

    The Fisher–Yates shuffle: from the back, each element changes places with a random one of those not behind it, itself included. The
    random element for place i is j = ⌊r·(i + 1) / 2³²⌋ with r word i of the stream.

    Args:
        seed: An integer in [0, 2⁶⁴).
        epoch: An integer in [0, 2⁶⁴).
        order: (n,) uint32, overwritten.
    """
    n = len(order)
    words = philox((np.arange(-(-n // 4)), epoch & WORD, epoch >> 32, SHUFFLE_STREAM), seed)
    stream = np.stack(words, axis=1).reshape(-1)[:n]
    partners = (stream * np.arange(1, n + 1, dtype=np.uint64) >> 32).tolist()
    items = list(range(n))
    for i in range(n - 1, -1, -1):
        j = partners[i]
        items[i], items[j] = items[j], items[i]
    order[:] = items


def noise_key(seed: int, draw: int) -> int:
    """The seed of the noise of draw number ``draw``: the seed itself for 0, so that a model called once sees what training would."""
    if draw == 0:
        return seed
    low, high, _, _ = philox((draw & WORD, draw >> 32, 0, KEY_STREAM), seed)
    return int(low) | int(high) << 32


def dropout_mask(rate: float, rows: int, columns: int, *, seed: int, node: int, iteration: int) -> np.ndarray:
    """Decides which elements of a batch a dropout node keeps: each with probability 1 − rate.

    One counter gives four words, for four columns 16 apart: column c takes word (c mod 64) // 16 of counter (c // 64)·16 + c mod 16. So
    a processor with vectors of 16 words or fewer writes a row's words side by side.

    Args:
        rate: Probability of dropping an element, 0 ≤ rate < 1.
        rows, columns: Shape of the batch.
        seed: The network's seed.
        node: Index of the dropout node in the plan.
        iteration: Parameter updates done so far.

    Returns:
        (rows, columns) bool, true where an element is kept.
    """
    words = words_of(rows, columns, seed=seed, node=node, iteration=iteration)
    uniform = (words >> 8).astype(np.float32) * np.float32(2**-24)
    return uniform >= np.float32(rate)


def words_of(rows: int, columns: int, *, seed: int, node: int, iteration: int) -> np.ndarray:
    """The random word of every element of a batch, (rows, columns): see :func:`dropout_mask`."""
    groups = -(-columns // 64)
    counters = np.arange(groups * 16)
    words = philox((counters, np.arange(rows)[:, None], iteration & WORD, node), seed)
    return np.stack([word.reshape(rows, groups, 16) for word in words], axis=2).reshape(rows, groups * 64)[:, :columns]


# fmt: off
NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727,
        1.50140941)
FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406,
       2.83297682)
# fmt: on
"""Polynomials of the inverse error function, highest power first: of w − 2.5 near 0, of √w − 3 far from it, w = −log(1 − x²)."""


def deviates(rows: int, columns: int, *, seed: int, node: int, iteration: int) -> np.ndarray:
    """Normal deviates (mean 0, variance 1) for the elements of a batch, with the random words of :func:`dropout_mask`.

    A number x drawn evenly from (−1, 1) becomes √2·erf⁻¹(x), the value below which a normal variable stays with probability (1 + x)/2. The
    polynomials are those of Giles (2010), "Approximating the erfinv function".

    Returns:
        (rows, columns) float64; no element is beyond 5.5.
    """
    words = words_of(rows, columns, seed=seed, node=node, iteration=iteration)
    x = (2.0 * (words >> 8) + 1) * 2**-24 - 1  # never 0, 1 or -1
    w = -np.log((1 - x) * (1 + x))
    inverse = np.where(w < 5, np.polyval(NEAR, w - 2.5), np.polyval(FAR, np.sqrt(w) - 3))
    return np.asarray(np.sqrt(2) * inverse * x)

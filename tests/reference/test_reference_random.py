"""The reference engine's random stream: Philox, shuffling and dropout masks."""

import numpy as np
import pytest

from fastmlp.reference import shuffle
from fastmlp.reference.random import dropout_mask, philox

# From kat_vectors in the Random123 distribution, philox4x32 with 10 rounds.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return tuple(int(word, 16) for word in text.split())


def order_of(seed, epoch, n):
    order = np.empty(n, np.uint32)
    shuffle(seed, epoch, order)
    return order


def words_one_by_one(counter, seed):
    """Philox of a single counter in Python integers, as plainly as the paper has it."""
    c, k = list(counter), [seed % 2**32, seed // 2**32]
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter, key, answer):
    low, high = words(key)
    drawn = philox(tuple(np.array([word]) for word in words(counter)), low | high << 32)
    assert tuple(word.item() for word in drawn) == words(answer)


def test_philox_takes_arrays_of_counters():
    seed = 0xFEDCBA9876543210
    drawn = np.stack(philox((np.arange(5), np.array([[7], [8]]), 9, 2**32 - 1), seed), axis=-1)
    assert drawn.shape == (2, 5, 4)
    for row in range(2):
        for column in range(5):
            assert drawn[row, column].tolist() == words_one_by_one((column, 7 + row, 9, 2**32 - 1), seed)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be an integer ≥ 0 and < 2"):
        philox((0, 0, 0, 0), seed)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 63, 1000])
def test_shuffle_is_a_permutation(n):
    assert sorted(order_of(1, 2, n).tolist()) == list(range(n))


def test_shuffle_follows_fisher_yates_over_the_stream():
    seed, epoch, n = 2**40 + 3, 2**33 + 1, 11
    stream = [word for q in range(3) for word in words_one_by_one((q, epoch % 2**32, epoch // 2**32, 2**32 - 1), seed)]
    expected = list(range(n))
    for i in reversed(range(n)):
        j = stream[i] * (i + 1) // 2**32
        expected[i], expected[j] = expected[j], expected[i]
    assert order_of(seed, epoch, n).tolist() == expected


def test_shuffle_ignores_what_order_held_before():
    order = np.full(100, 7, np.uint32)
    shuffle(3, 4, order)
    assert np.array_equal(order, order_of(3, 4, 100))


@pytest.mark.parametrize("other", [(0, 1), (1, 0), (2**32, 0), (0, 2**32)], ids=["epoch", "seed", "seed's high word", "epoch's high word"])
def test_shuffle_depends_on_every_bit_of_seed_and_epoch(other):
    assert not np.array_equal(order_of(0, 0, 100), order_of(*other, 100))


def test_shuffle_sends_every_row_everywhere_equally_often():
    n, epochs = 8, 4000
    places = np.zeros((n, n))
    for epoch in range(epochs):
        places[np.arange(n), order_of(11, epoch, n)] += 1
    expected = epochs / n
    chi_square = ((places - expected) ** 2 / expected).sum()
    assert chi_square < 100  # 49 degrees of freedom: mean 49, one in 50,000 above 100


def test_dropout_mask_lays_words_out_as_documented():
    rows, columns, seed, node, iteration, rate = 3, 150, 2**50 + 1, 5, 2**32 + 6, 0.3
    mask = dropout_mask(rate, rows, columns, seed=seed, node=node, iteration=iteration)
    assert mask.shape == (rows, columns)
    for b in range(rows):
        for c in range(columns):
            word = words_one_by_one((c // 64 * 16 + c % 16, b, iteration % 2**32, node), seed)[c % 64 // 16]
            assert mask[b, c] == (np.float32(word >> 8) * np.float32(2**-24) >= np.float32(rate))


def test_dropout_keeps_an_element_whose_number_is_the_rate_itself():
    word = words_one_by_one((0, 0, 3, 2), seed=1)[0]
    number = np.float32(word >> 8) * np.float32(2**-24)
    assert dropout_mask(float(number), 1, 1, seed=1, node=2, iteration=3)
    assert not dropout_mask(float(np.nextafter(number, np.float32(1))), 1, 1, seed=1, node=2, iteration=3)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_mask_keeps_the_stated_share(rate):
    mask = dropout_mask(rate, 500, 400, seed=1, node=2, iteration=3)
    spread = np.sqrt(rate * (1 - rate) / mask.size)
    assert abs(mask.mean() - (1 - rate)) <= 4 * spread


def test_dropout_mask_keeps_everything_at_rate_zero():
    assert dropout_mask(0.0, 50, 70, seed=1, node=2, iteration=3).all()


@pytest.mark.parametrize("change", [{"seed": 2}, {"seed": 1 + 2**32}, {"node": 3}, {"iteration": 4}], ids=str)
def test_dropout_mask_depends_on_seed_node_and_iteration(change):
    keys = {"seed": 1, "node": 2, "iteration": 3}
    assert not np.array_equal(dropout_mask(0.5, 10, 100, **keys), dropout_mask(0.5, 10, 100, **(keys | change)))


def test_dropout_mask_of_a_row_does_not_depend_on_the_batch_around_it():
    keys = {"seed": 1, "node": 2, "iteration": 3}
    assert np.array_equal(dropout_mask(0.5, 4, 100, **keys), dropout_mask(0.5, 9, 130, **keys)[:4, :100])

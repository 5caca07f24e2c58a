"""Hashes of strings that are the same on every platform: FarmHash ``Fingerprint64``, and the keyed SipHash-2-4.

Fingerprint64: Pike and Alakuijala, FarmHash, 2014. SipHash: Aumasson and Bernstein, SipHash: a fast short-input PRF, 2012.
"""

from __future__ import annotations

__all__ = ["fingerprint64", "siphash"]

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _word(text: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(text[at : at + size], "little")


def _rotate_right(value: int, bits: int) -> int:
    """The low 64 bits of ``value``, rotated right by ``bits``."""
    value &= _MASK
    return (value >> bits | value << (64 - bits)) & _MASK


def _shift_mix(value: int) -> int:
    value &= _MASK
    return value ^ value >> 47


def _hash_16(u: int, v: int, factor: int) -> int:
    a = _shift_mix((u ^ v) * factor)
    return _shift_mix((v ^ a) * factor) * factor & _MASK


def fingerprint64(text: bytes) -> int:
    """FarmHash's ``Fingerprint64``, an unsigned 64-bit integer.

    Example:

    >>> from fastmlp._base.hashing import fingerprint64
    >>> fingerprint64(b"hello") % 7
    5
    """
    size = len(text)
    if size <= 16:
        return _of_16(text, size)
    if size <= 32:
        return _of_32(text, size)
    if size <= 64:
        return _of_64(text, size)
    return _of_many(text, size)


def _of_16(text: bytes, size: int) -> int:
    factor = _K2 + size * 2
    if size >= 8:
        a, b = (_word(text, 0) + _K2) & _MASK, _word(text, size - 8)
        return _hash_16((_rotate_right(b, 37) * factor + a) & _MASK, (_rotate_right(a, 25) + b) * factor & _MASK, factor)
    if size >= 4:
        return _hash_16(size + (_word(text, 0, 4) << 3), _word(text, size - 4, 4), factor)
    if size:
        y, z = text[0] + (text[size >> 1] << 8), size + (text[-1] << 2)
        return _shift_mix(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _ends(text: bytes, size: int, first: int, factor: int) -> tuple[int, int, int]:
    """The first word times ``first``, and two sums of the first two and the last two words."""
    a, b = _word(text, 0) * first, _word(text, 8)
    c, d = _word(text, size - 8) * factor, _word(text, size - 16) * _K2
    return a, (_rotate_right(a + b, 43) + _rotate_right(c, 30) + d) & _MASK, (a + _rotate_right(b + _K2, 18) + c) & _MASK


def _of_32(text: bytes, size: int) -> int:
    factor = _K2 + size * 2
    _, y, z = _ends(text, size, _K1, factor)
    return _hash_16(y, z, factor)


def _of_64(text: bytes, size: int) -> int:
    factor = _K2 + size * 2
    a, y, z = _ends(text, size, _K2, factor)
    z = _hash_16(y, z, factor)
    e, f = _word(text, 16) * factor, _word(text, 24)
    g, h = (y + _word(text, size - 32)) * factor, (z + _word(text, size - 24)) * factor
    return _hash_16((_rotate_right(e + f, 43) + _rotate_right(g, 30) + h) & _MASK, (e + _rotate_right(f + a, 18) + g) & _MASK, factor)


def _of_block(text: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Two hashes of 32 bytes, with two seeds."""
    w, x, y, z = (_word(text, at + offset) for offset in (0, 8, 16, 24))
    a += w
    b = _rotate_right(b + a + z, 21)
    c = a
    a += x + y
    return (a + z) & _MASK, (b + _rotate_right(a, 44) + c) & _MASK


def _of_many(text: bytes, size: int) -> int:
    x, y = 81 * _K2 + _word(text, 0), 81 * _K1 + 113
    z = _shift_mix(y * _K2 + 113) * _K2
    v = w = (0, 0)
    state = (x, y, z, v, w)
    end = (size - 1) // 64 * 64
    for at in range(0, end, 64):
        state = _round(text, at, state, _K1, 1)
    x, y, z, v, w = state
    factor = _K1 + ((z & 0xFF) << 1)
    w_first = w[0] + (size - 1 & 63)
    v_first = v[0] + w_first
    w_first += v_first
    x, y, z, v, w = _round(text, size - 64, (x, y, z, (v_first, v[1]), (w_first, w[1])), factor, 9)
    first = _hash_16(v[0], w[0], factor) + _shift_mix(y) * _K0 + z
    return _hash_16(first & _MASK, (_hash_16(v[1], w[1], factor) + x) & _MASK, factor)


_State = tuple[int, int, int, tuple[int, int], tuple[int, int]]


def _round(text: bytes, at: int, state: _State, factor: int, weight: int) -> _State:
    """The state after 64 more bytes."""
    x, y, z, v, w = state
    x = _rotate_right(x + y + v[0] + _word(text, at + 8), 37) * factor & _MASK
    y = _rotate_right(y + v[1] + _word(text, at + 48), 42) * factor & _MASK
    x ^= w[1] * weight & _MASK
    y += v[0] * weight + _word(text, at + 40)
    z = _rotate_right(z + w[0], 33) * factor & _MASK
    v = _of_block(text, at, v[1] * factor, x + w[0])
    w = _of_block(text, at + 32, z + w[1], y + _word(text, at + 16))
    return z, y & _MASK, x, v, w


def siphash(text: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 of ``text`` with a key of two 64-bit integers; an unsigned 64-bit integer."""
    k0, k1 = (part & _MASK for part in key)
    v = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    padded = text + bytes(7 - len(text) % 8) + bytes((len(text) & 0xFF,))
    for at in range(0, len(padded), 8):
        word = _word(padded, at)
        a, b, c, d = _sip_rounds((v[0], v[1], v[2], v[3] ^ word), 2)
        v = (a ^ word, b, c, d)
    a, b, c, d = _sip_rounds((v[0], v[1], v[2] ^ 0xFF, v[3]), 4)
    return a ^ b ^ c ^ d


def _sip_rounds(v: tuple[int, int, int, int], count: int) -> tuple[int, int, int, int]:
    a, b, c, d = v
    for _ in range(count):
        a, c = (a + b) & _MASK, (c + d) & _MASK
        b, d = _rotate_right(b, 51) ^ a, _rotate_right(d, 48) ^ c
        a = _rotate_right(a, 32)
        c, a = (c + b) & _MASK, (a + d) & _MASK
        b, d = _rotate_right(b, 47) ^ c, _rotate_right(d, 43) ^ a
        c = _rotate_right(c, 32)
    return a, b, c, d

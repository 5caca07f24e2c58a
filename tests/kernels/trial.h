/* One trial of a kernel: deterministic sizes and data, the same on every machine, and one memory that holds all that the kernel may touch.
 *
 * Arrays are taken one after another from the trial's memory, with gaps between them, so comparing two memories compares every output
 * and notices writes where none belong. Integers of 32 bits, floats and sizes of 64 bits only: words can be compared.
 */
#ifndef FASTMLP_TRIAL_H
#define FASTMLP_TRIAL_H

#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>

#define TRIAL_WORDS (1 << 17)
#define TRIAL_GAP 0xA5A5A5A5u /* a small number, seen as a float */

/* What random floats of a trial look like. */
enum { PLAIN, MANY_ZEROS, ALL_MAGNITUDES, SOME_SPECIAL, FLAVOURS };

typedef struct trial {
    const fm_kernels *kernels;
    int number; /* of the trial; sizes follow from it */
    int flavour, rarity; /* of random floats; one in so many is special, where some are */
    uint64_t state;
    uint32_t *memory; /* [TRIAL_WORDS] */
    size_t used;
} trial;

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static inline uint32_t draw(trial *t) {
    uint64_t z = t->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(z >> 32);
}

/* An integer from low to high, both included. */
static inline int pick(trial *t, int low, int high) { return low + (int)(draw(t) % (uint32_t)(high - low + 1)); }
static inline int coin(trial *t) { return pick(t, 0, 1); }

static inline float as_float(uint32_t bits) {
    union {
        uint32_t bits;
        float value;
    } u = {bits};
    return u.value;
}

/* Uniform in [−1, 1). */
static inline float uniform(trial *t) { return (float)(int32_t)draw(t) * 0x1p-31f; }

/* No denormals: the engine never hands one to a kernel but as a zero. */
static inline float draw_float(trial *t, float scale) {
    static const uint32_t special[] = {
        0x7FC00000, 0xFFC00000, /* NaN */
        0x7F800000, 0xFF800000, /* infinity */
        0x00000000, 0x80000000, /* zero */
        0x7F7FFFFF, 0xFF7FFFFF, /* the largest */
        0x01000000, 0x81000000, /* twice the smallest normal, which only some processors flush when it comes out of a rounding */
        0x3F800000, 0xBF800000, /* one */
    };
    if (t->flavour == MANY_ZEROS && draw(t) % 4)
        return as_float(draw(t) & 0x80000000);
    if (t->flavour == ALL_MAGNITUDES)
        return as_float((draw(t) & 0x807FFFFF) | (uint32_t)pick(t, 1, 254) << 23);
    if (t->flavour == SOME_SPECIAL && draw(t) % (unsigned)t->rarity == 0)
        return as_float(special[draw(t) % (sizeof special / sizeof *special)]);
    return uniform(t) * scale;
}

static inline void *take(trial *t, ptrdiff_t words) {
    const size_t begin = t->used + 2 * (size_t)pick(t, 1, 8), end = begin + (size_t)words; /* even, for sizes of 64 bits */
    if (end + 2 > TRIAL_WORDS) {
        fprintf(stderr, "a trial needs more than TRIAL_WORDS\n");
        abort();
    }
    for (size_t i = t->used; i < end + 2; i++)
        t->memory[i] = TRIAL_GAP;
    t->used = (end + 1) / 2 * 2;
    return t->memory + begin;
}

/* Room for n floats that the kernel writes. */
static inline float *take_room(trial *t, ptrdiff_t n) { return take(t, n); }
static inline int32_t *take_integers(trial *t, ptrdiff_t n) { return take(t, n); }
static inline ptrdiff_t *take_sizes(trial *t, ptrdiff_t n) { return take(t, 2 * n); }

/* n random floats, with a random largest magnitude. */
static inline float *take_floats(trial *t, ptrdiff_t n) {
    float *values = take(t, n);
    const float scale = (float)(1 << pick(t, 0, 8)) / 8.0f;
    for (ptrdiff_t i = 0; i < n; i++)
        values[i] = draw_float(t, scale);
    return values;
}

/* A matrix of padded rows; the pad is finite, and would be noticed if it were used. */
static inline float *take_rows(trial *t, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t stride) {
    float *values = take_floats(t, rows * stride);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = cols; c < stride; c++)
            values[r * stride + c] = 1e30f;
    return values;
}

/* A row length: padded, and sometimes longer. */
static inline ptrdiff_t draw_stride(trial *t, ptrdiff_t cols) { return FM_ROUND_UP(cols) + pick(t, 0, 1) * FM_PANEL; }

static inline float draw_alpha(trial *t) { return 0.1f * (float)pick(t, 0, 12); }

#endif

/* Random numbers of the engine: Philox words, a function of seed and position. The dropout kernels (kernels/body/dropout.h) use the
 * counter (column group · 16 + lane, row, iteration, node). Here, shuffling uses (quadruple, epoch low, epoch high, ~0), and keys of
 * further noise streams use (draw low, draw high, 0, ~1). No node has such an index. */
#include "kernels/body/philox.h"
#include "engine/base/rng.h"

uint32_t fm_low(uint64_t value) { return (uint32_t)value; }
uint32_t fm_high(uint64_t value) { return (uint32_t)(value >> 32); }

void fm_noise_key(uint64_t seed, uint64_t draw, uint32_t key[2]) {
    key[0] = fm_low(seed);
    key[1] = fm_high(seed);
    if (draw == 0)
        return;
    const uint32_t counter[4] = {fm_low(draw), fm_high(draw), 0, UINT32_MAX - 1};
    uint32_t words[4];
    fm_philox(counter, key, words);
    key[0] = words[0];
    key[1] = words[1];
}

/* Fisher and Yates' shuffle, the random position from the high half of a product (Lemire 2019, without his rejection step: the bias is
 * below n / 2³²). */
void fm_shuffle(uint64_t seed, uint64_t epoch, uint32_t *order, int64_t n) {
    const uint32_t key[2] = {fm_low(seed), fm_high(seed)};
    for (int64_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    uint32_t words[4];
    int64_t quadruple = -1;
    for (int64_t i = n - 1; i > 0; i--) {
        if (i / 4 != quadruple) {
            quadruple = i / 4;
            const uint32_t counter[4] = {(uint32_t)quadruple, fm_low(epoch), fm_high(epoch), UINT32_MAX};
            fm_philox(counter, key, words);
        }
        const uint32_t j = (uint32_t)(((uint64_t)words[i % 4] * (uint64_t)(i + 1)) >> 32);
        const uint32_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}

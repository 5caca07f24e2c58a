/* The dropout mask: Philox4x32-10 (philox.h) on vectors of counters, the four words of a counter serving four panels of 16 columns. */
#include "philox.h"

static const int32_t FM_LANE_NUMBERS[FM_PANEL] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* x[0 … 3] are the words of V_LANES counters, and then the random words. */
FM_INLINE void fm_philox_vector(vi x[4], uint32_t key_0, uint32_t key_1) {
    const vi m0 = vi_set1((int32_t)FM_PHILOX_M0), m1 = vi_set1((int32_t)FM_PHILOX_M1);
#pragma GCC unroll 10
    for (int round = 0; round < FM_PHILOX_ROUNDS; round++, key_0 += FM_PHILOX_W0, key_1 += FM_PHILOX_W1) {
        const vi high_0 = vi_mulhi(x[0], m0), low_0 = vi_mul(x[0], m0);
        const vi high_1 = vi_mulhi(x[2], m1), low_1 = vi_mul(x[2], m1);
        x[0] = vi_xor(high_1, vi_xor(x[1], vi_set1((int32_t)key_0)));
        x[2] = vi_xor(high_0, vi_xor(x[3], vi_set1((int32_t)key_1)));
        x[1] = low_1;
        x[3] = low_0;
    }
}

void FM_FUNCTION(dropout_mask)(const fm_dropout *d) {
    const ptrdiff_t rows = d->rows, cols = FM_ROUND_UP(d->cols), first_row = d->first_row, stride = d->mask_row;
    const uint32_t key_0 = d->key[0], key_1 = d->key[1], step = d->step, node = d->node;
    const vf rate = v_set1(d->rate), keep_scale = v_set1(d->keep_scale);
    const vi lane = vi_load(FM_LANE_NUMBERS);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c += 4 * FM_PANEL)
            for (int v = 0; v < FM_VECTORS; v++) {
                vi words[4] = {
                    vi_add(lane, vi_set1((int32_t)(c / 4 + v * V_LANES))), /* counter 16·(c / 64) + lane */
                    vi_set1((int32_t)(uint32_t)(first_row + r)),
                    vi_set1((int32_t)step),
                    vi_set1((int32_t)node),
                };
                fm_philox_vector(words, key_0, key_1);
                float *mask = d->mask + r * stride + c + v * V_LANES;
                for (int o = 0; o < 4 && c + o * FM_PANEL < cols; o++) {
                    const vf uniform = v_mul(v_from_int(vi_shr(words[o], 8)), v_set1(0x1p-24f));
                    v_store(mask + o * FM_PANEL, v_select(v_le(rate, uniform), keep_scale, v_set1(0.0f)));
                }
            }
}

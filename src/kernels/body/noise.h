/* Gaussian noise, and the offsets with which AlphaDropout keeps activations self-normalizing. */

/* The normal deviate whose distribution function is (1 + x)/2, −1 < x < 1: √2·erf⁻¹(x) by the single-precision polynomials of Giles,
 * "Approximating the erfinv function", GPU Computing Gems, 2010; √2 is multiplied at the end. */
FM_INLINE vf v_deviate(vf x) {
    const vf one = v_set1(1.0f);
    const vf w = v_sub(v_set1(0.0f), v_log(v_mul(v_sub(one, x), v_add(one, x))));
    const vf near = v_sub(w, v_set1(2.5f)), far = v_sub(v_sqrt(w), v_set1(3.0f));
    vf p = v_set1(2.81022636e-08f), q = v_set1(-0.000200214257f);
    p = v_fma(p, near, v_set1(3.43273939e-07f));
    p = v_fma(p, near, v_set1(-3.5233877e-06f));
    p = v_fma(p, near, v_set1(-4.39150654e-06f));
    p = v_fma(p, near, v_set1(0.00021858087f));
    p = v_fma(p, near, v_set1(-0.00125372503f));
    p = v_fma(p, near, v_set1(-0.00417768164f));
    p = v_fma(p, near, v_set1(0.246640727f));
    p = v_fma(p, near, v_set1(1.50140941f));
    q = v_fma(q, far, v_set1(0.000100950558f));
    q = v_fma(q, far, v_set1(0.00134934322f));
    q = v_fma(q, far, v_set1(-0.00367342844f));
    q = v_fma(q, far, v_set1(0.00573950773f));
    q = v_fma(q, far, v_set1(-0.0076224613f));
    q = v_fma(q, far, v_set1(0.00943887047f));
    q = v_fma(q, far, v_set1(1.00167406f));
    q = v_fma(q, far, v_set1(2.83297682f));
    return v_mul(v_mul(v_select(v_lt(w, v_set1(5.0f)), p, q), x), v_set1(1.41421356f));
}

void FM_FUNCTION(gaussian_noise)(const fm_gaussian_noise *n) {
    const ptrdiff_t cols = FM_ROUND_UP(n->cols);
    const vf stddev = v_set1(n->stddev), mean = v_set1(n->mean);
    const vi lane = vi_load(FM_LANE_NUMBERS);
    for (ptrdiff_t r = 0; r < n->rows; r++)
        for (ptrdiff_t c = 0; c < cols; c += 4 * FM_PANEL)
            for (int v = 0; v < FM_VECTORS; v++) {
                vi words[4] = {
                    vi_add(lane, vi_set1((int32_t)(c / 4 + v * V_LANES))), /* as in dropout.h */
                    vi_set1((int32_t)(uint32_t)(n->first_row + r)),
                    vi_set1((int32_t)n->step),
                    vi_set1((int32_t)n->node),
                };
                fm_philox_vector(words, n->key[0], n->key[1]);
                for (int o = 0; o < 4 && c + o * FM_PANEL < cols; o++) {
                    const ptrdiff_t at = c + v * V_LANES + o * FM_PANEL;
                    /* (2·word + 1)/2²⁴ − 1 of the upper 24 bits: odd multiples of 2⁻²⁴, never 0 or ±1. */
                    const vf x = v_fma(v_from_int(vi_shr(words[o], 8)), v_set1(0x1p-23f), v_set1(0x1p-24f - 1.0f));
                    const vf centre = n->x ? v_load(n->x + r * n->x_row + at) : mean;
                    v_store(n->out + r * n->out_row + at, v_fma(v_deviate(x), stddev, centre));
                }
            }
}

void FM_FUNCTION(alpha_dropout)(const fm_alpha_dropout *a) {
    const vf kept = v_set1(a->kept), dropped = v_set1(a->dropped), zero = v_set1(0.0f);
    for (ptrdiff_t i = 0; i < a->n; i += V_LANES) {
        const vf mask = v_load(a->mask + i);
        v_store(a->out + i, v_fma(v_load(a->x + i), mask, v_select(v_eq(mask, zero), dropped, kept)));
    }
}

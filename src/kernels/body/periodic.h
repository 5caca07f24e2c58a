/* Periodic embeddings: sines and cosines of numbers, with frequencies that are learned. */

/* sin(2πt) and cos(2πt) of t = c·x. With q = round(4t), which selects and signs them, what is left is an angle of at most an eighth of a
 * turn; the rounding error of c·x is added to it. */
FM_INLINE void v_sine_and_cosine(vf c, vf x, vf *sine, vf *cosine) {
    const vf zero = v_set1(0.0f), product = v_mul(c, x);
    x = v_select(v_lt(v_set1(0x1p40f), v_mul(product, product)), zero, x); /* NaN stays */
    const vf t = v_mul(c, x);
    const vf sum = v_fma(v_set1(4.0f), t, V_ROUNDER);
    const vf r = v_sub(v_fnma(v_set1(0.25f), v_sub(sum, V_ROUNDER), t), v_fnma(c, x, t));
    const vf z = v_mul(r, r);
    vf s = v_set1(-0x1.2db5a6p+6f); /* fit error 4.0e-9 */
    s = v_fma(s, z, v_set1(0x1.465facp+6f));
    s = v_fma(s, z, v_set1(-0x1.4abbbep+5f));
    s = v_fma(s, z, v_set1(-0x1.777a5cp-23f));
    s = v_fma(r, v_set1(0x1.921fb6p+2f), v_mul(r, s));
    vf k = v_set1(0x1.d47d5ep+5f); /* fit error 4.1e-10 */
    k = v_fma(k, z, v_set1(-0x1.55b146p+6f));
    k = v_fma(k, z, v_set1(0x1.03c1aep+6f));
    k = v_fma(k, z, v_set1(-0x1.3bd3ccp+4f));
    k = v_fma(k, z, v_set1(1.0f));
    const vi q = v_as_int(sum), one = vi_set1(1), two = vi_set1(2);
    const vi swapped = vi_and(vi_xor(v_as_int(s), v_as_int(k)), vi_sub(vi_set1(0), vi_and(q, one)));
    *sine = v_as_float(vi_xor(vi_xor(v_as_int(s), swapped), vi_shl(vi_and(q, two), 30)));
    *cosine = v_as_float(vi_xor(vi_xor(v_as_int(k), swapped), vi_shl(vi_and(vi_add(q, one), two), 30)));
}

void FM_FUNCTION(periodic)(const fm_periodic *a) {
    const ptrdiff_t count = a->frequencies;
    for (ptrdiff_t r = 0; r < a->rows; r++)
        for (ptrdiff_t i = 0; i < a->inputs; i++) {
            float *out = a->out + r * a->out_row + 2 * i * count;
            const vf x = v_set1(a->x[r * a->x_row + i]);
            for (ptrdiff_t j = 0; j < count; j += V_LANES) {
                vf sine, cosine;
                v_sine_and_cosine(v_load(a->c + j / FM_PANEL * a->panel + i * FM_PANEL + j % FM_PANEL), x, &sine, &cosine);
                v_store_first(out + j, sine, count - j);
                v_store_first(out + count + j, cosine, count - j);
            }
        }
}

/* The fixed tree over the lanes of one vector. */
FM_INLINE float fm_sum_lanes(vf a) {
    float lanes[V_LANES];
    v_store(lanes, a);
    for (int half = V_LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

void FM_FUNCTION(periodic_backward)(const fm_periodic *a) {
    const ptrdiff_t count = a->frequencies;
    const vf zero = v_set1(0.0f), turn = v_set1(0x1.921fb6p+2f);
    for (ptrdiff_t j = 0; j < count; j += FM_PANEL)
        memset(a->dc + j / FM_PANEL * a->panel, 0, (size_t)(a->inputs * FM_PANEL) * sizeof *a->dc);
    for (ptrdiff_t r = 0; r < a->rows; r++)
        for (ptrdiff_t i = 0; i < a->inputs; i++) {
            const float *out = a->out + r * a->out_row + 2 * i * count, *grad = a->grad + r * a->grad_row + 2 * i * count;
            const vf x = v_set1(a->x[r * a->x_row + i]);
            vf sums[FM_VECTORS];
            for (int v = 0; v < FM_VECTORS; v++)
                sums[v] = zero;
            for (ptrdiff_t j = 0; j < count; j += V_LANES) {
                const ptrdiff_t at = j / FM_PANEL * a->panel + i * FM_PANEL + j % FM_PANEL, left = count - j;
                const vf of_sine = v_mul(v_load_first(grad + j, left), v_load_first(out + count + j, left));
                const vf of_cosine = v_fnma(v_load_first(grad + count + j, left), v_load_first(out + j, left), of_sine);
                const vf slope = v_mul(turn, of_cosine);
                v_store_first(a->dc + at, v_fma(x, slope, v_load(a->dc + at)), left);
                sums[j % FM_PANEL / V_LANES] = v_fma(v_load_first(a->c + at, left), slope, sums[j % FM_PANEL / V_LANES]);
            }
            if (a->dx)
                a->dx[r * a->dx_row + i] = fm_sum_lanes(fm_fold_sum(sums));
        }
}

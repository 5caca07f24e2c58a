/* Sparse kernels: compression of rows, and spmm. */

/* Appends the lanes of x that `keep` names; an ISA that can pack a vector has its own, which may write V_LANES elements. */
#if !defined(V_HAS_COMPRESS)
FM_INLINE int v_compress(float *value, int32_t *index, vf x, unsigned keep, int32_t first) {
    float lanes[V_LANES];
    v_store(lanes, x);
    int count = 0;
    for (; keep; keep &= keep - 1, count++) {
        const int lane = __builtin_ctz(keep);
        value[count] = lanes[lane];
        index[count] = first + lane;
    }
    return count;
}
#endif

void FM_FUNCTION(compress)(const fm_compress *c) {
    const unsigned all = (2u << (V_LANES - 1)) - 1;
    ptrdiff_t count = 0, i = 0;
    for (; i + V_LANES <= c->n; i += V_LANES) {
        const vf x = v_load(c->x + i);
        const unsigned keep = ~v_bits(v_eq(x, v_set1(0.0f))) & all;
        if (keep) /* count ≤ i, so a whole vector fits from here */
            count += v_compress(c->value + count, c->index + count, x, keep, (int32_t)i);
    }
    for (; i < c->n; i++)
        if (c->x[i] != 0.0f) {
            c->index[count] = (int32_t)i;
            c->value[count++] = c->x[i];
        }
    *c->count = count;
}

/* One row × `panels` panels: each entry loads that many panels of b, so a row has as many independent chains as the registers allow. */
FM_INLINE void fm_spmm_micro(const int panels, const fm_spmm *s, const fm_output *out, ptrdiff_t row, ptrdiff_t panel) {
    const int columns = panels * FM_VECTORS;
    const float *b = s->b + panel * s->b_panel;
    vf sums[FM_MAX_NR_PANELS * FM_VECTORS];
    fm_accumulators_begin(1, panels, out, 0, row, panel, sums);
    for (ptrdiff_t e = s->begin[row]; e < s->end[row]; e++) {
        const float *terms = b + s->index[e] * s->b_step;
        const vf value = v_set1(s->value[e]);
#pragma GCC unroll 16
        for (int j = 0; j < columns; j++)
            sums[j] = v_fma(value, v_load(terms + (j / FM_VECTORS) * s->b_panel + (j % FM_VECTORS) * V_LANES), sums[j]);
    }
    fm_epilogue(1, panels, out, s->epilogue, row, panel, sums);
}

/* Panels in the outer loop, so that their part of b stays in cache while the rows gather from it. */
void FM_FUNCTION(spmm)(const fm_spmm *s) {
    const fm_output out = FM_OUTPUT(s);
    ptrdiff_t panel = 0;
    for (; panel + 4 <= s->panels; panel += 4)
        for (ptrdiff_t row = 0; row < s->rows; row++)
            fm_spmm_micro(4, s, &out, row, panel);
    for (; panel + 2 <= s->panels; panel += 2)
        for (ptrdiff_t row = 0; row < s->rows; row++)
            fm_spmm_micro(2, s, &out, row, panel);
    for (; panel < s->panels; panel++)
        for (ptrdiff_t row = 0; row < s->rows; row++)
            fm_spmm_micro(1, s, &out, row, panel);
}

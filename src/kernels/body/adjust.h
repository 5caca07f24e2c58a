/* What surrounds an optimizer's step: penalties, clipping, weight decay, EMA, norms and constraints. */

FM_INLINE void fm_adjust_vector(const fm_adjust *a, float *w, float *g) {
    const vf parameter = v_load(w), clip = v_set1(a->clip);
    vf gradient = v_fma(v_set1(a->l1), v_sign(parameter), v_load(g));
    gradient = v_mul(v_fma(v_set1(a->l2), parameter, gradient), v_set1(a->scale));
    v_store(g, v_min(clip, v_max(v_sub(v_set1(0.0f), clip), gradient))); /* in this order, NaN stays NaN */
    v_store(w, v_fnma(v_set1(a->decay), parameter, parameter));
}

void FM_FUNCTION(adjust)(const fm_adjust *a) {
    ptrdiff_t i = 0;
    for (; i + V_LANES <= a->n; i += V_LANES)
        fm_adjust_vector(a, a->w + i, a->g + i);
    if (i < a->n) {
        const size_t bytes = (size_t)(a->n - i) * sizeof(float);
        float w[V_LANES] = {0}, g[V_LANES] = {0};
        memcpy(w, a->w + i, bytes);
        memcpy(g, a->g + i, bytes);
        fm_adjust_vector(a, w, g);
        memcpy(a->w + i, w, bytes);
        memcpy(a->g + i, g, bytes);
    }
}

void FM_FUNCTION(combine)(const fm_combine *c) {
    const vf a = v_set1(c->a), b = v_set1(c->b);
    for (ptrdiff_t i = 0; i < c->n; i += V_LANES) {
        const vf y = v_mul(b, v_load_first(c->y + i, c->n - i));
        v_store_first(c->out + i, v_fma(a, v_load_first(c->x + i, c->n - i), y), c->n - i);
    }
}

FM_INLINE void fm_column_norms_at(const fm_norms *s, ptrdiff_t c, int vectors) {
    const vf zero = v_set1(0.0f);
    const float *x[FM_COLUMN_VECTORS];
    vf absolute[FM_COLUMN_VECTORS], square[FM_COLUMN_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        const ptrdiff_t at = c + v * V_LANES;
        x[v] = s->x + at / FM_PANEL * s->x_panel + at % FM_PANEL;
        absolute[v] = square[v] = zero;
    }
    for (ptrdiff_t r = 0; r < s->rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const vf value = v_load(x[v] + r * FM_PANEL);
            absolute[v] = v_add(absolute[v], v_magnitude(value));
            square[v] = v_fma(value, value, square[v]);
        }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        if (s->absolute)
            v_store(s->absolute + c + v * V_LANES, absolute[v]);
        if (s->square)
            v_store(s->square + c + v * V_LANES, square[v]);
    }
}

void FM_FUNCTION(column_norms)(const fm_norms *s) { FM_BY_COLUMNS(fm_column_norms_at, s, FM_ROUND_UP(s->cols)); }

/* V_LANES rows, or as many as there are, from x on. */
FM_INLINE void fm_row_norms(const fm_norms *s, const float *x, ptrdiff_t rows, float *square) {
    const vm tail = v_tail(s->cols);
    vf sums[V_LANES];
    for (int i = 0; i < V_LANES; i++) {
        const float *row = x + (i < rows ? i : 0) * FM_PANEL;
        vf lanes[FM_VECTORS];
        for (int v = 0; v < FM_VECTORS; v++)
            lanes[v] = v_set1(0.0f);
        for (ptrdiff_t c = 0; c < s->cols; c += FM_PANEL)
            for (int v = 0; v < FM_VECTORS; v++) {
                const ptrdiff_t left = s->cols - c - v * V_LANES;
                const vf value = v_keep(v_load(row + c / FM_PANEL * s->x_panel + v * V_LANES), left, tail, v_set1(0.0f));
                lanes[v] = v_fma(value, value, lanes[v]);
            }
        sums[i] = fm_fold_sum(lanes);
    }
    v_store_first(square, fm_sum_rows(sums), rows);
}

void FM_FUNCTION(row_norms)(const fm_norms *s) {
    for (ptrdiff_t r = 0; r < s->rows; r += V_LANES)
        fm_row_norms(s, s->x + r * FM_PANEL, s->rows - r, s->square + r);
}

void FM_FUNCTION(rescale)(const fm_rescale *s) {
    for (ptrdiff_t c = 0; c < s->cols; c += FM_PANEL)
        for (ptrdiff_t r = 0; r < s->rows; r++)
            for (int v = 0; v < FM_PANEL; v += V_LANES) {
                float *x = s->x + c / FM_PANEL * s->x_panel + r * FM_PANEL + v;
                v_store(x, v_mul(v_load(x), s->column ? v_load(s->column + c + v) : v_set1(s->row[r])));
            }
}

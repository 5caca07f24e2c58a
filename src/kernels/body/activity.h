/* Activity penalties: l1·Σ|x| + l2·Σx² of each row, and their derivative. */

/* The penalties of V_LANES rows, or as many as there are, from x on. */
FM_INLINE vf fm_row_penalties(const fm_activity *a, const float *x, ptrdiff_t rows) {
    const vm tail = v_tail(a->cols);
    vf absolute[V_LANES], square[V_LANES];
    for (int i = 0; i < V_LANES; i++) {
        const float *row = x + (i < rows ? i : 0) * a->row;
        vf magnitudes[FM_VECTORS], squares[FM_VECTORS];
        for (int v = 0; v < FM_VECTORS; v++)
            magnitudes[v] = squares[v] = v_set1(0.0f);
        for (ptrdiff_t c = 0; c < a->cols; c += FM_PANEL)
            for (int v = 0; v < FM_VECTORS; v++) {
                const vf value = v_keep(v_load(row + c + v * V_LANES), a->cols - c - v * V_LANES, tail, v_set1(0.0f));
                magnitudes[v] = v_add(magnitudes[v], v_magnitude(value));
                squares[v] = v_fma(value, value, squares[v]);
            }
        absolute[i] = fm_fold_sum(magnitudes);
        square[i] = fm_fold_sum(squares);
    }
    return v_fma(v_set1(a->l2), fm_sum_rows(square), v_mul(v_set1(a->l1), fm_sum_rows(absolute)));
}

void FM_FUNCTION(activity)(const fm_activity *a) {
    for (ptrdiff_t r = 0; r < a->rows; r += V_LANES) {
        const vf penalties = fm_row_penalties(a, a->x + r * a->row, a->rows - r);
        v_store_first(a->loss + r, v_add(v_load_first(a->loss + r, a->rows - r), penalties), a->rows - r);
    }
}

void FM_FUNCTION(activity_backward)(const fm_activity *a) {
    const vm tail = v_tail(a->cols);
    const vf l1 = v_set1(a->l1), l2 = v_set1(a->l2);
    for (ptrdiff_t r = 0; r < a->rows; r++)
        for (ptrdiff_t c = 0; c < FM_ROUND_UP(a->cols); c += V_LANES) {
            const vf x = v_load(a->x + r * a->row + c), grad = v_load(a->grad + r * a->row + c);
            v_store(a->out + r * a->row + c, v_keep(v_fma(l2, x, v_fma(l1, v_sign(x), grad)), a->cols - c, tail, grad));
        }
}

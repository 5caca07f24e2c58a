/* Activations across a row other than the softmaxes: sparsemax and the gated linear unit. */

/* Σ and number of what is above a threshold in a row, as the lanes of one vector each: of x − shift, or of `values` where x − shift is
 * above. What does not compare counts as above, so a NaN reaches the sum. */
FM_INLINE void fm_row_above(const float *x, const float *values, ptrdiff_t cols, vm tail, vf shift, vf threshold, vf *sum, vf *count) {
    const vf zero = v_set1(0.0f), one = v_set1(1.0f);
    vf sums[FM_VECTORS], counts[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++)
        sums[v] = counts[v] = zero;
    for (ptrdiff_t c = 0; c < cols; c += FM_PANEL)
        for (int v = 0; v < FM_VECTORS && c + v * V_LANES < cols; v++) {
            const ptrdiff_t at = c + v * V_LANES;
            const vf z = v_sub(v_load(x + at), shift);
            const vm below = v_le(z, threshold);
            sums[v] = v_add(sums[v], v_keep(v_select(below, zero, values ? v_load(values + at) : z), cols - at, tail, zero));
            counts[v] = v_add(counts[v], v_keep(v_select(below, zero, one), cols - at, tail, zero));
        }
    *sum = fm_fold_sum(sums);
    *count = fm_fold_sum(counts);
}

/* The threshold from below (Michelot 1986, "A finite algorithm for finding the projection of a point onto the canonical simplex of Rⁿ"): of
 * what is above the last one, the threshold that leaves 1, until nothing falls out any more. It begins at −1, below which nothing counts. */
void FM_FUNCTION(sparsemax)(const fm_softmax *s) {
    const ptrdiff_t rows = s->rows, cols = s->cols, stride = s->stride;
    const vm tail = v_tail(cols);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        const float *x = s->x + r * stride;
        float *out = s->out + r * stride, max[V_LANES], threshold[V_LANES], before[V_LANES], after[V_LANES];
        vf sums[V_LANES], counts[V_LANES], tau = v_set1(-1.0f);
        for (int i = 0; i < V_LANES; i++)
            sums[i] = i < here ? fm_row_max(x + i * stride, cols, tail) : v_set1(0.0f);
        v_store(max, fm_max_rows(sums));
        v_store(after, v_set1(0.0f));
        do { /* rows that are done meet the same columns again, and so the same threshold */
            memcpy(before, after, sizeof before);
            v_store(threshold, tau);
            for (int i = 0; i < V_LANES; i++) {
                sums[i] = counts[i] = v_set1(1.0f);
                if (i < here)
                    fm_row_above(x + i * stride, NULL, cols, tail, v_set1(max[i]), v_set1(threshold[i]), &sums[i], &counts[i]);
            }
            const vf count = fm_sum_rows(counts);
            tau = v_max(tau, v_div(v_sub(fm_sum_rows(sums), v_set1(1.0f)), count));
            v_store(after, count);
        } while (memcmp(before, after, sizeof before) != 0);
        v_store(threshold, tau);
        for (int i = 0; i < here; i++)
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                const vf above = v_sub(v_sub(v_load(x + i * stride + c), v_set1(max[i])), v_set1(threshold[i]));
                v_store(out + i * stride + c, v_keep(v_max(v_set1(0.0f), above), cols - c, tail, v_set1(0.0f)));
            }
    }
}

void FM_FUNCTION(sparsemax_backward)(const fm_softmax *s) {
    const ptrdiff_t rows = s->rows, cols = s->cols, stride = s->stride;
    const vm tail = v_tail(cols);
    const vf zero = v_set1(0.0f);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        const float *x = s->x + r * stride, *grad = s->grad + r * stride;
        float *out = s->out + r * stride, mean[V_LANES];
        vf sums[V_LANES], counts[V_LANES];
        for (int i = 0; i < V_LANES; i++) {
            sums[i] = counts[i] = v_set1(1.0f);
            if (i < here)
                fm_row_above(x + i * stride, grad + i * stride, cols, tail, zero, zero, &sums[i], &counts[i]);
        }
        v_store(mean, v_div(fm_sum_rows(sums), v_max(v_set1(1.0f), fm_sum_rows(counts))));
        for (int i = 0; i < here; i++)
            for (ptrdiff_t c = i * stride; c < i * stride + FM_ROUND_UP(cols); c += V_LANES) {
                const vf slope = v_select(v_le(v_load(x + c), zero), zero, v_sub(v_load(grad + c), v_set1(mean[i])));
                v_store(out + c, v_keep(slope, cols - (c - i * stride), tail, zero));
            }
    }
}

/* The second half of a row starts at any alignment, so its last numbers are loaded one by one: behind them is another row, or nothing. */
void FM_FUNCTION(glu)(const fm_glu *g) {
    const vm tail = v_tail(g->cols);
    for (ptrdiff_t r = 0; r < g->rows; r++) {
        const float *x = g->x + r * g->x_row, *gate = x + g->cols;
        float *out = g->out + r * g->out_row;
        for (ptrdiff_t c = 0; c < FM_ROUND_UP(g->cols); c += V_LANES) {
            const ptrdiff_t left = g->cols - c;
            const vf value = left > 0 ? v_mul(v_load(x + c), v_sigmoid(v_load_first(gate + c, left))) : v_set1(0.0f);
            v_store(out + c, v_keep(value, left, tail, v_set1(0.0f)));
        }
    }
}

void FM_FUNCTION(glu_backward)(const fm_glu *g) {
    for (ptrdiff_t r = 0; r < g->rows; r++) {
        const float *x = g->x + r * g->x_row, *gate = x + g->cols, *grad = g->grad + r * g->grad_row;
        float *out = g->out + r * g->out_row;
        for (ptrdiff_t c = 0; c < g->cols; c += V_LANES) {
            const ptrdiff_t left = g->cols - c;
            const vf s = v_sigmoid(v_load_first(gate + c, left)), slope = v_load(grad + c);
            v_store_first(out + c, v_mul(slope, s), left);
            v_store_first(out + g->cols + c, v_mul(v_mul(slope, v_load(x + c)), v_fnma(s, s, s)), left);
        }
    }
}

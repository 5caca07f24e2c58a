/* Losses for which the columns of a row are one vector: cosine similarity, categorical hinge, Gaussian likelihood. */

/* V_LANES columns of a row, from c on, of which the first n are columns; the others are 0. */
FM_INLINE vf fm_columns(const float *row, ptrdiff_t c, ptrdiff_t n) {
    return c < n ? v_load_first(row + c, n - c < V_LANES ? n - c : V_LANES) : v_set1(0.0f);
}
FM_INLINE void fm_store_columns(float *row, ptrdiff_t c, ptrdiff_t n, vf values) {
    if (c < n)
        v_store_first(row + c, values, n - c < V_LANES ? n - c : V_LANES);
}

/* Parameter 0, the sign, times Σ ŷ·x̂ with v̂ = v·min(1/|v|, 10⁷). Beyond the bound x̂ is a multiple of x. */
void FM_FUNCTION(loss_cosine_similarity)(const fm_loss *a) {
    const ptrdiff_t cols = a->cols;
    const vm tail = v_tail(cols);
    const vf sign = v_set1(a->parameter[0]), one = v_set1(1.0f), zero = v_set1(0.0f), max = v_set1(1e7f);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        vf products[V_LANES], squares_x[V_LANES], squares_y[V_LANES];
        for (int i = 0; i < V_LANES; i++) {
            const float *x = a->x + (first + i) * a->x_row, *y = a->y + (first + i) * a->y_row;
            products[i] = i < b.rows ? fm_row_dot(x, y, cols, tail) : zero;
            squares_x[i] = i < b.rows ? fm_row_dot(x, x, cols, tail) : zero;
            squares_y[i] = i < b.rows ? fm_row_dot(y, y, cols, tail) : zero;
        }
        const vf by_x = v_div(one, v_sqrt(fm_sum_rows(squares_x))), x_scale = v_min(max, by_x);
        const vf y_scale = v_min(max, v_div(one, v_sqrt(fm_sum_rows(squares_y))));
        const vf cosine = v_mul(v_mul(fm_sum_rows(products), x_scale), y_scale);
        fm_block_loss(a, b, v_mul(sign, cosine));
        if (!a->grad)
            continue;
        /* ∂(ŷ·x̂)/∂x = (ŷ − (ŷ·x̂)·x̂)/|x|, and ŷ·10⁷ beyond the bound. */
        const vf factor = v_mul(v_mul(fm_block_weights(a, b), v_set1(a->scale)), v_mul(sign, x_scale));
        const vf own = v_select(v_le(by_x, max), v_mul(cosine, x_scale), zero);
        float factors[V_LANES], owns[V_LANES], y_scales[V_LANES];
        v_store(factors, factor);
        v_store(owns, own);
        v_store(y_scales, y_scale);
        for (int i = 0; i < b.rows; i++) {
            const float *x = a->x + (first + i) * a->x_row, *y = a->y + (first + i) * a->y_row;
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                const vf slope = v_fnma(v_load(x + c), v_set1(owns[i]), v_mul(v_load(y + c), v_set1(y_scales[i])));
                v_store(a->grad + (first + i) * a->grad_row + c, v_keep(v_mul(slope, v_set1(factors[i])), cols - c, tail, zero));
            }
        }
    }
}

/* max(neg − pos + 1, 0) with pos = Σ y·x and neg = max (1 − y)·x. Equal maxima share the derivative. */
void FM_FUNCTION(loss_categorical_hinge)(const fm_loss *a) {
    const ptrdiff_t cols = a->cols;
    const vm tail = v_tail(cols);
    const vf zero = v_set1(0.0f), one = v_set1(1.0f), min = v_sub(zero, V_INFINITY);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        vf products[V_LANES], largest[V_LANES];
        for (int i = 0; i < V_LANES; i++) {
            const float *x = a->x + (first + i) * a->x_row, *y = a->y + (first + i) * a->y_row;
            vf lanes[FM_VECTORS];
            for (int v = 0; v < FM_VECTORS; v++)
                lanes[v] = min;
            for (ptrdiff_t c = 0; i < b.rows && c < cols; c += V_LANES) {
                const int v = (int)(c / V_LANES % FM_VECTORS);
                const vf wrong = v_mul(v_sub(one, v_load(y + c)), v_load(x + c));
                lanes[v] = v_keep(v_max(lanes[v], wrong), cols - c, tail, lanes[v]);
            }
            products[i] = i < b.rows ? fm_row_dot(x, y, cols, tail) : zero;
            largest[i] = fm_fold_max(lanes);
        }
        const vf max = fm_max_rows(largest), missing = v_add(v_sub(max, fm_sum_rows(products)), one);
        fm_block_loss(a, b, v_max(zero, missing));
        if (!a->grad)
            continue;
        float maxima[V_LANES], factors[V_LANES];
        v_store(maxima, max);
        v_store(factors, v_mul(v_mul(fm_block_weights(a, b), v_set1(a->scale)), v_step(missing)));
        for (int i = 0; i < b.rows; i++) {
            const float *x = a->x + (first + i) * a->x_row, *y = a->y + (first + i) * a->y_row;
            int ties = 0;
            for (ptrdiff_t c = 0; c < cols; c += V_LANES) {
                const vf wrong = v_mul(v_sub(one, v_load(y + c)), v_load(x + c));
                ties += __builtin_popcount(v_bits(v_eq(v_keep(wrong, cols - c, tail, V_NAN), v_set1(maxima[i]))));
            }
            const vf share = v_set1(1.0f / (float)ties);
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                const vf target = v_load(y + c), other = v_sub(one, target);
                const vm is_max = v_eq(v_mul(other, v_load(x + c)), v_set1(maxima[i]));
                const vf slope = v_sub(v_select(is_max, v_mul(other, share), zero), target);
                v_store(a->grad + (first + i) * a->grad_row + c, v_keep(v_mul(slope, v_set1(factors[i])), cols - c, tail, zero));
            }
        }
    }
}

/* The first half of the columns are means, the second variances, at least parameter 0; the targets have half as many columns: mean of
 * ½·(log v + (m − y)²/v) + parameter 1. Derivatives are those at the clipped variance, so that one that is too small can grow. */
void FM_FUNCTION(loss_gaussian_nll)(const fm_loss *a) {
    const ptrdiff_t n = a->cols / 2;
    const vm tail = v_tail(n);
    const vf zero = v_set1(0.0f), one = v_set1(1.0f), half = v_set1(0.5f), min = v_set1(a->parameter[0]), count = v_set1((float)n);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        float factors[V_LANES];
        vf row_values[V_LANES];
        v_store(factors, v_div(v_mul(v_mul(fm_block_weights(a, b), v_set1(a->scale)), half), count));
        for (int i = 0; i < V_LANES; i++) {
            vf values[FM_VECTORS];
            for (int v = 0; v < FM_VECTORS; v++)
                values[v] = zero;
            for (ptrdiff_t c = 0; i < b.rows && c < n; c += V_LANES) {
                const float *x = a->x + (first + i) * a->x_row;
                const vf error = v_sub(fm_columns(x, c, n), fm_columns(a->y + (first + i) * a->y_row, c, n));
                const vf variance = v_max(min, fm_columns(x + n, c, n));
                const vf inverse = v_div(one, variance), far = v_mul(error, inverse);
                const int v = (int)(c / V_LANES % FM_VECTORS);
                const vf term = v_fma(error, far, v_log(variance));
                values[v] = v_add(values[v], v_keep(term, n - c, tail, zero));
                if (a->grad) {
                    float *grad = a->grad + (first + i) * a->grad_row;
                    const vf factor = v_set1(factors[i]);
                    fm_store_columns(grad, c, n, v_mul(v_add(far, far), factor));
                    fm_store_columns(grad + n, c, n, v_mul(v_fnma(far, far, inverse), factor));
                }
            }
            for (ptrdiff_t c = 2 * n; a->grad && i < b.rows && c < FM_ROUND_UP(a->cols); c++)
                a->grad[(first + i) * a->grad_row + c] = 0.0f;
            row_values[i] = fm_fold_sum(values);
        }
        fm_block_loss(a, b, v_fma(half, v_div(fm_sum_rows(row_values), count), v_set1(a->parameter[1])));
    }
}

/* Smoothed targets, from one-hot rows, probabilities or labels. */
void FM_FUNCTION(smooth)(const fm_smooth *s) {
    const vm tail = v_tail(s->cols);
    const vf keep = v_set1(s->keep), share = v_set1(s->share);
    for (ptrdiff_t r = 0; r < s->rows; r++)
        for (ptrdiff_t c = 0; c < FM_ROUND_UP(s->cols); c += V_LANES) {
            const vf y = s->labels ? fm_one_hot(s->labels[r], c) : v_load(s->y + r * s->y_row + c);
            v_store(s->out + r * s->out_row + c, v_keep(v_fma(y, keep, share), s->cols - c, tail, v_set1(0.0f)));
        }
}

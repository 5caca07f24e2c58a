/* Categories: a row is a distribution over its columns, the target one column of it (a label) or another distribution. */

/* The first column of a row that equals value; cols if none does. Pad columns come last, so they cannot hide one. */
FM_INLINE ptrdiff_t fm_first_equal(const float *x, ptrdiff_t cols, vf value) {
    for (ptrdiff_t c = 0; c < cols; c += V_LANES) {
        const unsigned bits = v_bits(v_eq(v_load(x + c), value));
        if (bits) {
            c += __builtin_ctz(bits);
            return c < cols ? c : cols;
        }
    }
    return cols;
}

/* The maximum of each row of a block. */
FM_INLINE vf fm_block_max(fm_block b, const float *x, ptrdiff_t stride, ptrdiff_t cols, vm tail) {
    vf lanes[V_LANES];
    for (int i = 0; i < V_LANES; i++)
        lanes[i] = i < b.rows ? fm_row_max(x + (b.first + i) * stride, cols, tail) : v_set1(0.0f);
    return fm_max_rows(lanes);
}

/* 1 for the rows whose first largest column, of value max, is the target's, else 0. */
FM_INLINE void fm_block_hits(const fm_loss *a, const int sparse, fm_block b, vf max, vm tail, float hits[V_LANES]) {
    float largest[V_LANES], largest_target[V_LANES];
    v_store(largest, max);
    if (!sparse)
        v_store(largest_target, fm_block_max(b, a->y, a->y_row, a->cols, tail));
    for (int i = 0; i < b.rows; i++) {
        const ptrdiff_t r = b.first + i;
        const ptrdiff_t target = sparse ? a->labels[r] : fm_first_equal(a->y + r * a->y_row, a->cols, v_set1(largest_target[i]));
        hits[i] = fm_first_equal(a->x + r * a->x_row, a->cols, v_set1(largest[i])) == target ? 1.0f : 0.0f;
    }
}

FM_INLINE void fm_categorical_accuracy(const int sparse, const fm_loss *a) {
    const vm tail = v_tail(a->cols);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        float hits[V_LANES] = {0};
        fm_block_hits(a, sparse, b, fm_block_max(b, a->x, a->x_row, a->cols, tail), tail, hits);
        fm_block_loss(a, b, v_load(hits));
    }
}

/* y·x with 0·(−∞) = 0: a class that cannot occur, and does not. */
FM_INLINE vf fm_possible(vf y, vf x) { return v_select(v_eq(y, v_set1(0.0f)), v_set1(0.0f), x); }

/* Σ y and Σ y·x of each row of a block; for labels 1 and the label's x. */
FM_INLINE void fm_block_targets(const fm_loss *a, const int sparse, fm_block b, vm tail, vf *total, vf *product) {
    if (sparse) {
        float picked[V_LANES] = {0};
        for (int i = 0; i < b.rows; i++)
            picked[i] = a->x[(b.first + i) * a->x_row + a->labels[b.first + i]];
        *total = v_set1(1.0f);
        *product = v_load(picked);
        return;
    }
    const vf zero = v_set1(0.0f);
    vf totals[V_LANES], products[V_LANES];
    for (int i = 0; i < V_LANES; i++) {
        vf sums[FM_VECTORS], dots[FM_VECTORS];
        for (int v = 0; v < FM_VECTORS; v++)
            sums[v] = dots[v] = zero;
        if (i < b.rows) {
            const float *x = a->x + (b.first + i) * a->x_row, *y = a->y + (b.first + i) * a->y_row;
            ptrdiff_t c = 0;
            for (; c + FM_PANEL <= a->cols; c += FM_PANEL)
                for (int v = 0; v < FM_VECTORS; v++) {
                    const vf target = v_load(y + c + v * V_LANES);
                    sums[v] = v_add(sums[v], target);
                    dots[v] = v_fma(target, fm_possible(target, v_load(x + c + v * V_LANES)), dots[v]);
                }
            for (int v = 0; v < FM_VECTORS && c < a->cols; v++, c += V_LANES) {
                const vf target = v_keep(v_load(y + c), a->cols - c, tail, zero);
                sums[v] = v_add(sums[v], target);
                dots[v] = v_fma(target, fm_possible(target, v_load(x + c)), dots[v]);
            }
        }
        totals[i] = fm_fold_sum(sums);
        products[i] = fm_fold_sum(dots);
    }
    *total = fm_sum_rows(totals);
    *product = fm_sum_rows(products);
}

/* grad = e·slope − y·factor and probs = e·inverse, of one row; e may be grad or probs. With a label, y is one there and else zero. */
FM_SPECIALIZED void fm_softmax_row(const fm_loss *a, const int sparse, ptrdiff_t r, const float *e, vm tail, vf inverse, vf slope,
                                   float factor) {
    float *grad = a->grad ? a->grad + r * a->grad_row : NULL, *probs = a->probs ? a->probs + r * a->probs_row : NULL;
    const vf zero = v_set1(0.0f);
    for (ptrdiff_t c = 0; c < FM_ROUND_UP(a->cols); c += V_LANES) {
        const vf numerator = v_load(e + c);
        if (grad) {
            vf g = v_mul(numerator, slope);
            if (!sparse)
                g = v_fnma(v_load(a->y + r * a->y_row + c), v_set1(factor), g);
            v_store(grad + c, v_keep(g, a->cols - c, tail, zero));
        }
        if (probs)
            v_store(probs + c, v_keep(v_mul(numerator, inverse), a->cols - c, tail, zero));
    }
    if (grad && sparse)
        grad[a->labels[r]] -= factor;
}

/* What the loss and gradient of a block need once the sums of exponentials are known, one lane per row: grad = e·slope − y·factor and
 * probs = e·inverse. The loss is log Σ exp(x)·Σy − Σ y·x relative to the row's maximum, so that exp cannot overflow and small losses
 * keep their precision. */
typedef struct fm_softmax_factors {
    vf inverse, slope, factor;
} fm_softmax_factors;

FM_INLINE fm_softmax_factors fm_softmax_loss(const fm_loss *a, fm_block b, vf max, vf sum, vf total, vf product) {
    fm_block_loss(a, b, v_sub(v_mul(v_log(sum), total), v_fnma(max, total, product)));
    const vf inverse = v_div(v_set1(1.0f), sum), factor = v_mul(fm_block_weights(a, b), v_set1(a->scale));
    return (fm_softmax_factors){inverse, v_mul(v_mul(inverse, total), factor), factor};
}

/* Rows of at most 16 columns. */
FM_SPECIALIZED void fm_softmax_narrow(const fm_loss *a, const int sparse, fm_block b) {
    const ptrdiff_t cols = a->cols;
    const vf zero = v_set1(0.0f), one = v_set1(1.0f);
    vf x[FM_PANEL], y[FM_PANEL], e[FM_PANEL], scratch[FM_PANEL], label = zero;
    fm_narrow_load(a->x + b.first * a->x_row, a->x_row, b.rows, cols, x);
    if (sparse) {
        int32_t labels[V_LANES] = {0};
        memcpy(labels, a->labels + b.first, (size_t)b.rows * sizeof *labels);
        label = v_from_int(vi_load(labels));
        for (ptrdiff_t c = 0; c < cols; c++)
            y[c] = v_select(v_eq(label, v_set1(FM_LANES[c])), one, zero);
    } else {
        fm_narrow_load(a->y + b.first * a->y_row, a->y_row, b.rows, cols, y);
    }
    vf max = x[0];
    for (ptrdiff_t c = 1; c < cols; c++)
        max = v_max(max, x[c]);
    if (a->hit) {
        vf found = v_set1((float)cols);
        for (ptrdiff_t c = cols; c-- > 0;)
            found = v_select(v_eq(x[c], max), v_set1(FM_LANES[c]), found);
        if (!sparse) {
            vf y_max = y[0];
            for (ptrdiff_t c = 1; c < cols; c++)
                y_max = v_max(y_max, y[c]);
            for (ptrdiff_t c = cols; c-- > 0;)
                label = v_select(v_eq(y[c], y_max), v_set1(FM_LANES[c]), label);
        }
        v_store_first(a->hit + b.first, v_select(v_eq(found, label), one, zero), b.rows);
    }
    vf total = one;
    if (!sparse) {
        for (ptrdiff_t c = 0; c < cols; c++)
            scratch[c] = y[c];
        total = fm_narrow_sum(scratch, cols);
    }
    for (ptrdiff_t c = 0; c < cols; c++)
        scratch[c] = v_mul(y[c], fm_possible(y[c], x[c]));
    const vf product = fm_narrow_sum(scratch, cols);
    for (ptrdiff_t c = 0; c < cols; c++)
        scratch[c] = e[c] = v_exp_nonpositive(v_sub(x[c], max));
    const fm_softmax_factors f = fm_softmax_loss(a, b, max, fm_narrow_sum(scratch, cols), total, product);
    if (a->grad) {
        for (ptrdiff_t c = 0; c < cols; c++)
            scratch[c] = v_fnma(y[c], f.factor, v_mul(e[c], f.slope));
        fm_narrow_store(a->grad + b.first * a->grad_row, a->grad_row, b.rows, cols, scratch);
    }
    if (a->probs) {
        for (ptrdiff_t c = 0; c < cols; c++)
            e[c] = v_mul(e[c], f.inverse);
        fm_narrow_store(a->probs + b.first * a->probs_row, a->probs_row, b.rows, cols, e);
    }
}

FM_SPECIALIZED void fm_softmax_wide(const fm_loss *a, const int sparse, fm_block b) {
    const vm tail = v_tail(a->cols);
    vf total, product, sums[V_LANES];
    float largest[V_LANES];
    const vf max = fm_block_max(b, a->x, a->x_row, a->cols, tail);
    fm_block_targets(a, sparse, b, tail, &total, &product);
    if (a->hit) {
        float hits[V_LANES] = {0};
        fm_block_hits(a, sparse, b, max, tail, hits);
        v_store_first(a->hit + b.first, v_load(hits), b.rows);
    }
    /* Exponentials are stored where the results will be until their sum is known; grad may be x, which is not needed any more. */
    float *const e = a->grad ? a->grad : a->probs;
    const ptrdiff_t e_row = a->grad ? a->grad_row : a->probs_row;
    v_store(largest, max);
    for (int i = 0; i < V_LANES; i++) {
        const ptrdiff_t r = b.first + i;
        sums[i] = v_set1(1.0f);
        if (i < b.rows)
            sums[i] = fm_row_exp(a->x + r * a->x_row, e ? e + r * e_row : NULL, a->cols, tail, v_set1(largest[i]));
    }
    const fm_softmax_factors f = fm_softmax_loss(a, b, max, fm_sum_rows(sums), total, product);
    if (e) {
        float inverses[V_LANES], slopes[V_LANES], factors[V_LANES];
        v_store(inverses, f.inverse);
        v_store(slopes, f.slope);
        v_store(factors, f.factor);
        for (int i = 0; i < b.rows; i++) {
            const ptrdiff_t r = b.first + i;
            fm_softmax_row(a, sparse, r, e + r * e_row, tail, v_set1(inverses[i]), v_set1(slopes[i]), factors[i]);
        }
    }
}

FM_SPECIALIZED void fm_categorical_from_logits(const int sparse, const fm_loss *arguments) {
    const fm_loss copy = *arguments, *const a = &copy;
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        if (a->cols <= FM_PANEL)
            fm_softmax_narrow(a, sparse, fm_block_at(a, first));
        else
            fm_softmax_wide(a, sparse, fm_block_at(a, first));
    }
}

/* 1 in the label's lane of V_LANES columns from c on, else 0. */
FM_INLINE vf fm_one_hot(int32_t label, ptrdiff_t c) {
    return v_select(v_eq(v_load(FM_LANES), v_set1((float)(label - c))), v_set1(1.0f), v_set1(0.0f));
}

/* The targets of V_LANES columns of a row. */
FM_INLINE vf fm_targets(const fm_loss *a, const int sparse, ptrdiff_t r, ptrdiff_t c) {
    return sparse ? fm_one_hot(a->labels[r], c) : v_load(a->y + r * a->y_row + c);
}

/* Cross-entropy of probabilities q = x / Σx, clipped: −Σ y·log q. With s the sum of those y whose q was not clipped, the derivative is
 * (s − y/q) / Σx, without y/q for a clipped q; s comes from the division by Σx. */
FM_INLINE void fm_categorical(const int sparse, const fm_loss *arguments) {
    const fm_loss copy = *arguments, *const a = &copy;
    const ptrdiff_t cols = a->cols;
    const vm tail = v_tail(cols);
    const vf zero = v_set1(0.0f);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        vf row_sums[V_LANES], row_values[V_LANES], row_free[V_LANES];
        float sums[V_LANES], free[V_LANES], factors[V_LANES];
        for (int i = 0; i < V_LANES; i++)
            row_sums[i] = i < b.rows ? fm_row_sum(a->x + (first + i) * a->x_row, cols, tail) : v_set1(1.0f);
        const vf sum = fm_sum_rows(row_sums);
        v_store(sums, sum);
        for (int i = 0; i < V_LANES; i++) {
            vf values[FM_VECTORS], unclipped[FM_VECTORS];
            for (int v = 0; v < FM_VECTORS; v++)
                values[v] = unclipped[v] = zero;
            for (ptrdiff_t c = 0; i < b.rows && c < cols; c += FM_PANEL)
                for (int v = 0; v < FM_VECTORS && c + v * V_LANES < cols; v++) {
                    const ptrdiff_t at = c + v * V_LANES, left = cols - at;
                    const vf q = v_div(v_load(a->x + (first + i) * a->x_row + at), v_set1(sums[i])), clipped = v_clip_probability(q);
                    const vf y = v_keep(fm_targets(a, sparse, first + i, at), left, tail, zero);
                    values[v] = v_fnma(y, v_keep(v_log(clipped), left, tail, zero), values[v]);
                    unclipped[v] = v_add(unclipped[v], v_select(v_eq(q, clipped), y, zero));
                }
            row_values[i] = fm_fold_sum(values);
            row_free[i] = fm_fold_sum(unclipped);
        }
        fm_block_loss(a, b, fm_sum_rows(row_values));
        if (a->hit) {
            float hits[V_LANES] = {0};
            fm_block_hits(a, sparse, b, fm_block_max(b, a->x, a->x_row, cols, tail), tail, hits);
            v_store_first(a->hit + first, v_load(hits), b.rows);
        }
        if (!a->grad)
            continue;
        v_store(free, fm_sum_rows(row_free));
        v_store(factors, v_div(v_mul(fm_block_weights(a, b), v_set1(a->scale)), sum));
        for (int i = 0; i < b.rows; i++)
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                const vf q = v_div(v_load(a->x + (first + i) * a->x_row + c), v_set1(sums[i]));
                const vf y = fm_targets(a, sparse, first + i, c);
                const vf own = v_select(v_eq(q, v_clip_probability(q)), v_div(y, q), zero);
                const vf g = v_mul(v_sub(v_set1(free[i]), own), v_set1(factors[i]));
                v_store(a->grad + (first + i) * a->grad_row + c, v_keep(g, cols - c, tail, zero));
            }
    }
}

/* What the rows of a block need to compute probabilities: exp(x − max)/Σ from logits, else x/Σ. One lane per row. */
typedef struct fm_normal {
    float max[V_LANES], sum[V_LANES];
} fm_normal;

FM_INLINE vf fm_normalised(const int logits, const fm_loss *a, ptrdiff_t r, ptrdiff_t c, float max, float sum) {
    const vf x = v_load(a->x + r * a->x_row + c);
    return v_div(logits ? v_exp_nonpositive(v_sub(x, v_set1(max))) : x, v_set1(sum));
}

/* One column of the focal cross-entropy −y·(1 − q)ᵞ·log q, q clipped, and its slope with respect to q, 0 where q was clipped. */
FM_INLINE fm_term fm_categorical_focal_term(vf q, vf y, float power) {
    const vf zero = v_set1(0.0f), clipped = v_clip_probability(q), u = v_sub(v_set1(1.0f), clipped);
    const vf w = v_power(u, power), log = v_log(clipped);
    const vf slope = v_mul(y, v_sub(v_mul(v_div(v_mul(v_set1(power), w), u), log), v_div(w, clipped)));
    return (fm_term){v_fnma(v_mul(y, w), log, zero), v_select(v_eq(q, clipped), slope, zero), q, zero};
}

/* Parameter 0 is γ, parameter 1 a weight. With g the slopes with respect to q, and G = Σ g·q, the slope with respect to x is (g − G)/Σx, or
 * from logits q·(g − G). */
FM_INLINE void fm_categorical_focal(const int logits, const fm_loss *arguments) {
    const fm_loss copy = *arguments, *const a = &copy;
    const ptrdiff_t cols = a->cols;
    const vm tail = v_tail(cols);
    const vf zero = v_set1(0.0f), alpha = v_set1(a->parameter[1]);
    const float power = a->parameter[0];
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        const vf max = fm_block_max(b, a->x, a->x_row, cols, tail);
        fm_normal n;
        vf row_sums[V_LANES], row_values[V_LANES], row_slopes[V_LANES];
        v_store(n.max, max);
        for (int i = 0; i < V_LANES; i++) {
            const float *x = a->x + (first + i) * a->x_row;
            row_sums[i] = v_set1(1.0f);
            if (i < b.rows)
                row_sums[i] = logits ? fm_row_exp(x, NULL, cols, tail, v_set1(n.max[i])) : fm_row_sum(x, cols, tail);
        }
        const vf sum = fm_sum_rows(row_sums);
        v_store(n.sum, sum);
        for (int i = 0; i < V_LANES; i++) {
            vf values[FM_VECTORS], slopes[FM_VECTORS];
            for (int v = 0; v < FM_VECTORS; v++)
                values[v] = slopes[v] = zero;
            for (ptrdiff_t c = 0; i < b.rows && c < cols; c += V_LANES) {
                const int v = (int)(c / V_LANES % FM_VECTORS);
                const vf q = fm_normalised(logits, a, first + i, c, n.max[i], n.sum[i]);
                const fm_term t = fm_categorical_focal_term(q, v_load(a->y + (first + i) * a->y_row + c), power);
                values[v] = v_add(values[v], v_keep(t.value, cols - c, tail, zero));
                slopes[v] = v_fma(v_keep(t.slope, cols - c, tail, zero), v_keep(q, cols - c, tail, zero), slopes[v]);
            }
            row_values[i] = fm_fold_sum(values);
            row_slopes[i] = fm_fold_sum(slopes);
        }
        fm_block_loss(a, b, v_mul(alpha, fm_sum_rows(row_values)));
        if (a->hit) {
            float hits[V_LANES] = {0};
            fm_block_hits(a, 0, b, max, tail, hits);
            v_store_first(a->hit + first, v_load(hits), b.rows);
        }
        float factors[V_LANES], means[V_LANES];
        const vf factor = v_mul(v_mul(fm_block_weights(a, b), v_set1(a->scale)), alpha);
        v_store(factors, logits ? factor : v_div(factor, sum));
        v_store(means, fm_sum_rows(row_slopes));
        for (int i = 0; i < b.rows; i++)
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                const ptrdiff_t r = first + i;
                const vf q = fm_normalised(logits, a, r, c, n.max[i], n.sum[i]);
                if (a->grad) {
                    const fm_term t = fm_categorical_focal_term(q, v_load(a->y + r * a->y_row + c), power);
                    const vf g = v_mul(v_sub(t.slope, v_set1(means[i])), v_set1(factors[i]));
                    v_store(a->grad + r * a->grad_row + c, v_keep(logits ? v_mul(g, q) : g, cols - c, tail, zero));
                }
                if (logits && a->probs)
                    v_store(a->probs + r * a->probs_row + c, v_keep(q, cols - c, tail, zero));
            }
    }
}

/* (1 − p^q)/q of the label's probability p; other columns do not matter. Below 10⁻³⁷, where the derivative tends to infinity, it is that
 * at 10⁻³⁷. */
void FM_FUNCTION(loss_sparse_categorical_generalized_cross_entropy)(const fm_loss *a) {
    const float q = a->parameter[0];
    const vf one = v_set1(1.0f), zero = v_set1(0.0f);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        float picked[V_LANES] = {0}, slopes[V_LANES];
        for (int i = 0; i < b.rows; i++)
            picked[i] = a->x[(first + i) * a->x_row + a->labels[first + i]];
        const vf p = v_load(picked), above = v_max(v_set1(1e-37f), p), power = v_power(above, q);
        fm_block_loss(a, b, v_div(v_sub(one, v_select(v_eq(p, zero), zero, power)), v_set1(q)));
        v_store(slopes, v_mul(v_mul(fm_block_weights(a, b), v_set1(-a->scale)), v_div(power, above)));
        for (int i = 0; a->grad && i < b.rows; i++) {
            float *grad = a->grad + (first + i) * a->grad_row;
            memset(grad, 0, (size_t)FM_ROUND_UP(a->cols) * sizeof *grad);
            grad[a->labels[first + i]] = slopes[i];
        }
    }
}

void FM_FUNCTION(loss_categorical_crossentropy)(const fm_loss *a) { fm_categorical(0, a); }
void FM_FUNCTION(loss_sparse_categorical_crossentropy)(const fm_loss *a) { fm_categorical(1, a); }
void FM_FUNCTION(loss_categorical_crossentropy_from_logits)(const fm_loss *a) { fm_categorical_from_logits(0, a); }
void FM_FUNCTION(loss_sparse_categorical_crossentropy_from_logits)(const fm_loss *a) { fm_categorical_from_logits(1, a); }
void FM_FUNCTION(loss_categorical_accuracy)(const fm_loss *a) { fm_categorical_accuracy(0, a); }
void FM_FUNCTION(loss_sparse_categorical_accuracy)(const fm_loss *a) { fm_categorical_accuracy(1, a); }
void FM_FUNCTION(loss_categorical_focal_crossentropy)(const fm_loss *a) { fm_categorical_focal(0, a); }
void FM_FUNCTION(loss_categorical_focal_crossentropy_from_logits)(const fm_loss *a) { fm_categorical_focal(1, a); }

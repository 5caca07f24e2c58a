/* Losses and accuracies: loss_<name> for each FM_LOSS row; the contract is at fm_loss in kernels.h.
 *
 * Rows go in blocks of V_LANES: what a row needs once (its sum, logarithm, weight) is computed for the whole block as one vector. Three
 * functions make all kernels: fm_columnwise (a mean over columns), fm_categorical_from_logits and fm_categorical (softmax and
 * probabilities); integer labels are a constant argument of the latter two, not another copy.
 */

/* The rows of a block: the first one's number, and how many there are, 1 … V_LANES. */
typedef struct fm_block {
    ptrdiff_t first, rows;
} fm_block;

FM_INLINE fm_block fm_block_at(const fm_loss *a, ptrdiff_t first) {
    return (fm_block){first, a->rows - first < V_LANES ? a->rows - first : V_LANES};
}

FM_INLINE vf fm_block_weights(const fm_loss *a, fm_block b) { return a->weight ? v_load_first(a->weight + b.first, b.rows) : v_set1(1.0f); }

FM_INLINE void fm_block_loss(const fm_loss *a, fm_block b, vf value) {
    v_store_first(a->loss + b.first, v_mul(fm_block_weights(a, b), value), b.rows);
}

/* Means over columns: squared and absolute error, binary cross-entropies, binary accuracy. */

/* One column: the loss, its slope, the probability that x stands for, and 1 where that is on the target's side of the threshold. */
typedef struct fm_term {
    vf value, slope, probability, correct;
} fm_term;

/* Probabilities are kept within [10⁻⁷, 1 − 10⁻⁷]. NaN stays. */
FM_INLINE vf v_clip_probability(vf p) { return v_min(v_set1(1.0f - 1e-7f), v_max(v_set1(1e-7f), p)); }

FM_INLINE fm_term fm_columnwise_term(const int loss, vf x, vf y, vf threshold) {
    const vf zero = v_set1(0.0f), one = v_set1(1.0f);
    fm_term t = {zero, zero, x, zero};
    switch (loss) {
    case FM_LOSS_mean_squared_error: {
        const vf error = v_sub(x, y);
        t.value = v_mul(error, error);
        t.slope = v_add(error, error);
        break;
    }
    case FM_LOSS_mean_absolute_error: {
        const vf error = v_sub(x, y);
        t.value = v_max(error, v_sub(zero, error));
        /* Neither above nor below: +0, or NaN, whose sign bit differs from processor to processor. */
        t.slope = v_select(v_lt(error, zero), v_set1(-1.0f), v_select(v_lt(zero, error), one, v_add(error, zero)));
        break;
    }
    case FM_LOSS_binary_crossentropy: {
        const vf p = v_clip_probability(x), rest = v_sub(one, p);
        t.value = v_fnma(v_sub(one, y), v_log(rest), v_fnma(y, v_log(p), zero));
        t.slope = v_select(v_eq(p, x), v_div(v_sub(p, y), v_mul(p, rest)), zero);
        break;
    }
    case FM_LOSS_binary_crossentropy_from_logits: {
        const vf e = v_exp_nonpositive(v_minus_abs(x));
        t.value = v_add(v_fnma(x, y, v_max(zero, x)), v_log1p(e));
        t.probability = v_sigmoid_from_exp(x, e);
        t.slope = v_sub(t.probability, y);
        break;
    }
    }
    t.correct = v_select(v_eq(v_select(v_lt(threshold, t.probability), one, zero), y), one, zero);
    if (loss == FM_LOSS_binary_accuracy)
        t.value = t.correct;
    return t;
}

/* The cross-entropies: the only ones that have hits, and whose terms cost enough for narrow rows to be worth a transpose. */
FM_INLINE int fm_columnwise_has_hits(const int loss) {
    return loss == FM_LOSS_binary_crossentropy || loss == FM_LOSS_binary_crossentropy_from_logits;
}

/* Rows of at most 16 columns. */
FM_INLINE void fm_columnwise_narrow(const int loss, const fm_loss *a, fm_block b, vf threshold, vf factor, vf *value, vf *correct) {
    vf x[FM_PANEL], y[FM_PANEL], values[FM_PANEL], corrects[FM_PANEL];
    fm_narrow_load(a->x + b.first * a->x_row, a->x_row, b.rows, a->cols, x);
    fm_narrow_load(a->y + b.first * a->y_row, a->y_row, b.rows, a->cols, y);
    for (ptrdiff_t c = 0; c < a->cols; c++) {
        const fm_term t = fm_columnwise_term(loss, x[c], y[c], threshold);
        values[c] = t.value;
        corrects[c] = t.correct;
        x[c] = v_mul(t.slope, factor);
        y[c] = t.probability;
    }
    *value = fm_narrow_sum(values, a->cols);
    *correct = fm_narrow_sum(corrects, a->cols);
    if (a->grad)
        fm_narrow_store(a->grad + b.first * a->grad_row, a->grad_row, b.rows, a->cols, x);
    if (loss == FM_LOSS_binary_crossentropy_from_logits && a->probs)
        fm_narrow_store(a->probs + b.first * a->probs_row, a->probs_row, b.rows, a->cols, y);
}

/* One panel of one row, from column c on. */
FM_INLINE void fm_columnwise_panel(const int loss, const fm_loss *a, ptrdiff_t row, ptrdiff_t c, vm tail, vf threshold, vf factor,
                                   vf *values, vf *corrects) {
    const vf zero = v_set1(0.0f);
    for (int v = 0; v < FM_VECTORS; v++, c += V_LANES) {
        const ptrdiff_t left = a->cols - c;
        fm_term t = {zero, zero, zero, zero};
        if (left > 0)
            t = fm_columnwise_term(loss, v_load(a->x + row * a->x_row + c), v_load(a->y + row * a->y_row + c), threshold);
        values[v] = v_add(values[v], v_keep(t.value, left, tail, zero));
        if (fm_columnwise_has_hits(loss))
            corrects[v] = v_add(corrects[v], v_keep(t.correct, left, tail, zero));
        if (a->grad)
            v_store(a->grad + row * a->grad_row + c, v_keep(v_mul(t.slope, factor), left, tail, zero));
        if (loss == FM_LOSS_binary_crossentropy_from_logits && a->probs)
            v_store(a->probs + row * a->probs_row + c, v_keep(t.probability, left, tail, zero));
    }
}

FM_INLINE void fm_columnwise_wide(const int loss, const fm_loss *a, fm_block b, vf threshold, vf factor, vf *value, vf *correct) {
    const vf zero = v_set1(0.0f);
    const vm tail = v_tail(a->cols);
    float factors[V_LANES];
    vf row_values[V_LANES], row_corrects[V_LANES];
    v_store(factors, factor);
    for (int i = 0; i < V_LANES; i++) {
        vf values[FM_VECTORS], corrects[FM_VECTORS];
        for (int v = 0; v < FM_VECTORS; v++)
            values[v] = corrects[v] = zero;
        for (ptrdiff_t c = 0; i < b.rows && c < a->cols; c += FM_PANEL)
            fm_columnwise_panel(loss, a, b.first + i, c, tail, threshold, v_set1(factors[i]), values, corrects);
        row_values[i] = fm_fold_sum(values);
        row_corrects[i] = fm_fold_sum(corrects);
    }
    *value = fm_sum_rows(row_values);
    if (fm_columnwise_has_hits(loss))
        *correct = fm_sum_rows(row_corrects);
}

FM_INLINE void fm_columnwise(const int loss, const fm_loss *arguments) {
    const fm_loss copy = *arguments, *const a = &copy; /* a copy, so that the compiler knows no store changes it */
    const vf count = v_set1((float)a->cols), scale = v_set1(a->scale);
    const vf threshold = v_set1(loss == FM_LOSS_binary_accuracy ? a->threshold : 0.5f);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        const vf factor = v_div(v_mul(fm_block_weights(a, b), scale), count);
        vf value, correct;
        if (fm_columnwise_has_hits(loss) && a->cols <= FM_PANEL)
            fm_columnwise_narrow(loss, a, b, threshold, factor, &value, &correct);
        else
            fm_columnwise_wide(loss, a, b, threshold, factor, &value, &correct);
        fm_block_loss(a, b, v_div(value, count));
        if (fm_columnwise_has_hits(loss) && a->hit)
            v_store_first(a->hit + first, v_div(correct, count), b.rows);
    }
}

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

/* The largest column of each row of a block. */
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
                    dots[v] = v_fma(target, v_load(x + c + v * V_LANES), dots[v]);
                }
            for (int v = 0; v < FM_VECTORS && c < a->cols; v++, c += V_LANES) {
                const vf target = v_keep(v_load(y + c), a->cols - c, tail, zero);
                sums[v] = v_add(sums[v], target);
                dots[v] = v_fma(target, v_load(x + c), dots[v]);
            }
        }
        totals[i] = fm_fold_sum(sums);
        products[i] = fm_fold_sum(dots);
    }
    *total = fm_sum_rows(totals);
    *product = fm_sum_rows(products);
}

/* grad = e·slope − y·factor and probs = e·inverse, of one row; e may be grad or probs. With a label, y is one there and else zero. */
FM_INLINE void fm_softmax_row(const fm_loss *a, const int sparse, ptrdiff_t r, const float *e, vm tail, vf inverse, vf slope,
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

/* What a block's loss and gradient need once its rows' sums of exponentials are known, one lane a row: grad = e·slope − y·factor and
 * probs = e·inverse. The loss is log Σ exp(x)·Σy − Σ y·x, everything relative to the row's largest x, which exp cannot overflow on and
 * which leaves small losses their digits. */
typedef struct fm_softmax_factors {
    vf inverse, slope, factor;
} fm_softmax_factors;

FM_INLINE fm_softmax_factors fm_softmax_loss(const fm_loss *a, fm_block b, vf max, vf sum, vf total, vf product) {
    fm_block_loss(a, b, v_sub(v_mul(v_log(sum), total), v_fnma(max, total, product)));
    const vf inverse = v_div(v_set1(1.0f), sum), factor = v_mul(fm_block_weights(a, b), v_set1(a->scale));
    return (fm_softmax_factors){inverse, v_mul(v_mul(inverse, total), factor), factor};
}

/* Rows of at most 16 columns. */
FM_INLINE void fm_softmax_narrow(const fm_loss *a, const int sparse, fm_block b) {
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
        scratch[c] = v_mul(y[c], x[c]);
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

FM_INLINE void fm_softmax_wide(const fm_loss *a, const int sparse, fm_block b) {
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
    /* The exponentials wait for their sum where the results will be; grad may be x, which is no longer needed. */
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

FM_INLINE void fm_categorical_from_logits(const int sparse, const fm_loss *arguments) {
    const fm_loss copy = *arguments, *const a = &copy;
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        if (a->cols <= FM_PANEL)
            fm_softmax_narrow(a, sparse, fm_block_at(a, first));
        else
            fm_softmax_wide(a, sparse, fm_block_at(a, first));
    }
}

/* The targets of V_LANES columns of a row. */
FM_INLINE vf fm_targets(const fm_loss *a, const int sparse, ptrdiff_t r, ptrdiff_t c) {
    if (!sparse)
        return v_load(a->y + r * a->y_row + c);
    return v_select(v_eq(v_load(FM_LANES), v_set1((float)(a->labels[r] - c))), v_set1(1.0f), v_set1(0.0f));
}

/* Cross-entropy of probabilities q = x / Σx, clipped: −Σ y·log q. With s the Σ of those y whose q was not clipped, the slope is
 * (s − y/q) / Σx, where a clipped q drops the y/q: the s comes from the division by Σx, which every column takes part in. */
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

static void loss_mean_squared_error(const fm_loss *a) { fm_columnwise(FM_LOSS_mean_squared_error, a); }
static void loss_mean_absolute_error(const fm_loss *a) { fm_columnwise(FM_LOSS_mean_absolute_error, a); }
static void loss_binary_crossentropy(const fm_loss *a) { fm_columnwise(FM_LOSS_binary_crossentropy, a); }
static void loss_binary_crossentropy_from_logits(const fm_loss *a) { fm_columnwise(FM_LOSS_binary_crossentropy_from_logits, a); }
static void loss_binary_accuracy(const fm_loss *a) { fm_columnwise(FM_LOSS_binary_accuracy, a); }
static void loss_categorical_crossentropy(const fm_loss *a) { fm_categorical(0, a); }
static void loss_sparse_categorical_crossentropy(const fm_loss *a) { fm_categorical(1, a); }
static void loss_categorical_crossentropy_from_logits(const fm_loss *a) { fm_categorical_from_logits(0, a); }
static void loss_sparse_categorical_crossentropy_from_logits(const fm_loss *a) { fm_categorical_from_logits(1, a); }
static void loss_categorical_accuracy(const fm_loss *a) { fm_categorical_accuracy(0, a); }
static void loss_sparse_categorical_accuracy(const fm_loss *a) { fm_categorical_accuracy(1, a); }

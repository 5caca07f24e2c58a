/* Losses whose columns are independent terms: the value of a row is their mean, or for the Kullback–Leibler divergence their sum. */

/* Constants of a call. */
typedef struct fm_loss_constants {
    vf threshold, parameter[FM_LOSS_PARAMETERS];
    float power; /* parameter 0 of the focal losses */
} fm_loss_constants;

/* Binary cross-entropy, weighted by how far off the prediction is: w·uᵞ·bce with u = y·(1 − p) + (1 − y)·p. The slope of uᵞ is taken to be 0
 * at u = 0. From logits everything is multiplied by dp/dx = p·(1 − p), which cancels the division of the cross-entropy's slope. */
FM_INLINE fm_term fm_focal_term(const int logits, vf x, vf y, const fm_loss_constants *k) {
    const vf zero = v_set1(0.0f), one = v_set1(1.0f), other = v_sub(one, y);
    vf p = x, q = v_sub(one, x);
    if (logits) {
        const vf e = v_exp_nonpositive(v_minus_abs(x));
        p = v_sigmoid_from_exp(x, e);
        q = v_sigmoid_from_exp(v_sub(zero, x), e);
    }
    const vf clipped = v_clip_probability(p);
    const vm free = v_eq(p, clipped);
    const vf rest = v_select(free, q, v_sub(one, clipped));
    const vf entropy = v_fnma(other, v_log(rest), v_fnma(y, v_log(clipped), zero));
    const vf u = v_fma(y, q, v_mul(other, p)), w = v_power(u, k->power);
    const vf weight = v_fma(y, k->parameter[1], v_mul(other, k->parameter[2]));
    const vf steep = v_select(v_eq(u, zero), zero, v_div(v_mul(k->parameter[0], w), u));
    vf by_u = v_mul(v_mul(steep, v_sub(other, y)), entropy), by_p = v_sub(clipped, y);
    if (logits)
        by_u = v_mul(by_u, v_mul(p, q));
    else
        by_p = v_div(by_p, v_mul(clipped, rest));
    return (fm_term){v_mul(v_mul(weight, w), entropy), v_mul(weight, v_add(by_u, v_select(free, v_mul(w, by_p), zero))), p, zero};
}

FM_SPECIALIZED fm_term fm_columnwise_term(const int loss, vf x, vf y, const fm_loss_constants *k) {
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
        t.value = v_abs(error);
        t.slope = v_direction(error);
        break;
    }
    case FM_LOSS_mean_absolute_percentage_error: {
        const vf error = v_sub(x, y), share = v_div(v_set1(100.0f), v_max(V_MIN_PROBABILITY, v_abs(y)));
        t.value = v_mul(v_abs(error), share);
        t.slope = v_mul(v_direction(error), share);
        break;
    }
    case FM_LOSS_mean_squared_logarithmic_error: {
        const vf min = V_MIN_PROBABILITY, above = v_max(min, x);
        const vf error = v_sub(v_log1p_positive(above), v_log1p_positive(v_max(min, y)));
        t.value = v_mul(error, error);
        t.slope = v_mul(v_div(v_add(error, error), v_add(one, above)), v_step(v_sub(x, min)));
        break;
    }
    case FM_LOSS_huber: {
        const vf error = v_sub(x, y), size = v_abs(error), delta = k->parameter[0], half = v_set1(0.5f);
        const vf far = v_mul(delta, v_fnma(half, delta, size));
        t.value = v_select(v_le(size, delta), v_mul(half, v_mul(error, error)), far);
        t.slope = v_min(delta, v_max(v_sub(zero, delta), error));
        break;
    }
    case FM_LOSS_log_cosh: {
        /* −½·log(1 − tanh²) keeps the digits of small errors, |error| + log(1 + exp(−2·|error|)) − log 2 does not overflow. */
        const vf error = v_sub(x, y), size = v_abs(error), tanh = v_tanh(error);
        const vf near = v_mul(v_set1(-0.5f), v_log_reduced(zero, v_fnma(tanh, tanh, zero)));
        const vf far = v_sub(v_add(size, v_log1p(v_exp_nonpositive(v_mul(v_set1(-2.0f), size)))), v_set1(0x1.62e430p-1f));
        t.value = v_select(v_lt(size, v_set1(0.6f)), near, far);
        t.slope = tanh;
        break;
    }
    case FM_LOSS_quantile: {
        const vf error = v_sub(y, x), q = k->parameter[0], rest = v_sub(one, q);
        t.value = v_max(v_mul(q, error), v_fnma(rest, error, zero));
        t.slope = v_select(v_lt(zero, error), v_sub(zero, q), v_select(v_lt(error, zero), rest, v_add(error, zero)));
        break;
    }
    case FM_LOSS_poisson: {
        const vf rate = v_add(x, V_MIN_PROBABILITY);
        t.value = v_fnma(y, v_log(rate), x);
        t.slope = v_sub(one, v_div(y, rate));
        break;
    }
    case FM_LOSS_hinge:
    case FM_LOSS_squared_hinge: {
        const vf side = v_select(v_eq(y, zero), v_set1(-1.0f), y), missing = v_fnma(side, x, one), lack = v_max(zero, missing);
        t.value = loss == FM_LOSS_hinge ? lack : v_mul(lack, lack);
        t.slope = v_fnma(side, loss == FM_LOSS_hinge ? v_step(missing) : v_add(lack, lack), zero);
        break;
    }
    case FM_LOSS_kl_divergence: {
        const vf min = V_MIN_PROBABILITY, p = v_min(one, v_max(min, x)), target = v_min(one, v_max(min, y));
        const vf ratio = v_div(target, p);
        t.value = v_mul(target, v_log(ratio));
        t.slope = v_fnma(ratio, v_mul(v_step(v_sub(x, min)), v_step(v_sub(one, x))), zero);
        break;
    }
    case FM_LOSS_binary_crossentropy: {
        const vf p = v_clip_probability(x), rest = v_sub(one, p);
        t.value = v_fnma(v_sub(one, y), v_log(rest), v_fnma(y, v_log(p), zero));
        t.slope = v_select(v_eq(p, x), v_div(v_sub(p, y), v_mul(p, rest)), zero);
        break;
    }
    case FM_LOSS_binary_crossentropy_from_logits: {
        const vf min = v_minus_abs(x), e = v_exp_nonpositive(min);
        /* An infinite logit has loss 0 if the target agrees, and else infinity: ∞ − ∞ would be NaN. */
        const vf away = v_select(v_lt(zero, x), v_sub(one, y), y);
        const vf certain = v_select(v_eq(away, zero), zero, v_fnma(away, min, zero));
        const vf value = v_add(v_fnma(x, y, v_max(zero, x)), v_log1p(e));
        t.value = v_select(v_eq(min, v_sub(zero, V_INFINITY)), certain, value);
        t.probability = v_sigmoid_from_exp(x, e);
        t.slope = v_sub(t.probability, y);
        break;
    }
    case FM_LOSS_binary_focal_crossentropy:
        t = fm_focal_term(0, x, y, k);
        break;
    case FM_LOSS_binary_focal_crossentropy_from_logits:
        t = fm_focal_term(1, x, y, k);
        break;
    }
    t.correct = v_select(v_eq(v_select(v_lt(k->threshold, t.probability), one, zero), y), one, zero);
    if (loss == FM_LOSS_binary_accuracy)
        t.value = t.correct;
    return t;
}

/* Whether the loss also computes hits, as cross-entropies do; and whether it reads logits, and so also computes probabilities. */
FM_SPECIALIZED int fm_columnwise_reads_logits(const int loss) {
    return loss == FM_LOSS_binary_crossentropy_from_logits || loss == FM_LOSS_binary_focal_crossentropy_from_logits;
}
FM_SPECIALIZED int fm_columnwise_has_hits(const int loss) {
    return loss == FM_LOSS_binary_crossentropy || loss == FM_LOSS_binary_focal_crossentropy || fm_columnwise_reads_logits(loss);
}

/* Losses whose terms cost enough for a transpose of narrow rows to pay. */
FM_SPECIALIZED int fm_columnwise_is_costly(const int loss) {
    return fm_columnwise_has_hits(loss) || loss == FM_LOSS_mean_squared_logarithmic_error || loss == FM_LOSS_log_cosh ||
           loss == FM_LOSS_poisson || loss == FM_LOSS_kl_divergence;
}

/* Rows of at most 16 columns. */
FM_SPECIALIZED void fm_columnwise_narrow(const int loss, const fm_loss *a, fm_block b, const fm_loss_constants *k, vf factor, vf *value,
                                         vf *correct) {
    vf x[FM_PANEL], y[FM_PANEL], values[FM_PANEL], corrects[FM_PANEL];
    fm_narrow_load(a->x + b.first * a->x_row, a->x_row, b.rows, a->cols, x);
    fm_narrow_load(a->y + b.first * a->y_row, a->y_row, b.rows, a->cols, y);
    for (ptrdiff_t c = 0; c < a->cols; c++) {
        const fm_term t = fm_columnwise_term(loss, x[c], y[c], k);
        values[c] = t.value;
        corrects[c] = t.correct;
        x[c] = v_mul(t.slope, factor);
        y[c] = t.probability;
    }
    *value = fm_narrow_sum(values, a->cols);
    *correct = fm_narrow_sum(corrects, a->cols);
    if (a->grad)
        fm_narrow_store(a->grad + b.first * a->grad_row, a->grad_row, b.rows, a->cols, x);
    if (fm_columnwise_reads_logits(loss) && a->probs)
        fm_narrow_store(a->probs + b.first * a->probs_row, a->probs_row, b.rows, a->cols, y);
}

/* One panel of one row, from column c on. */
FM_SPECIALIZED void fm_columnwise_panel(const int loss, const fm_loss *a, ptrdiff_t row, ptrdiff_t c, vm tail, const fm_loss_constants *k,
                                        vf factor, vf *values, vf *corrects) {
    const vf zero = v_set1(0.0f);
    for (int v = 0; v < FM_VECTORS; v++, c += V_LANES) {
        const ptrdiff_t left = a->cols - c;
        fm_term t = {zero, zero, zero, zero};
        if (left > 0)
            t = fm_columnwise_term(loss, v_load(a->x + row * a->x_row + c), v_load(a->y + row * a->y_row + c), k);
        values[v] = v_add(values[v], v_keep(t.value, left, tail, zero));
        if (fm_columnwise_has_hits(loss))
            corrects[v] = v_add(corrects[v], v_keep(t.correct, left, tail, zero));
        if (a->grad)
            v_store(a->grad + row * a->grad_row + c, v_keep(v_mul(t.slope, factor), left, tail, zero));
        if (fm_columnwise_reads_logits(loss) && a->probs)
            v_store(a->probs + row * a->probs_row + c, v_keep(t.probability, left, tail, zero));
    }
}

FM_SPECIALIZED void fm_columnwise_wide(const int loss, const fm_loss *a, fm_block b, const fm_loss_constants *k, vf factor, vf *value,
                                       vf *correct) {
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
            fm_columnwise_panel(loss, a, b.first + i, c, tail, k, v_set1(factors[i]), values, corrects);
        row_values[i] = fm_fold_sum(values);
        row_corrects[i] = fm_fold_sum(corrects);
    }
    *value = fm_sum_rows(row_values);
    if (fm_columnwise_has_hits(loss))
        *correct = fm_sum_rows(row_corrects);
}

FM_SPECIALIZED void fm_columnwise(const int loss, const fm_loss *arguments) {
    const fm_loss copy = *arguments, *const a = &copy; /* a copy, so that the compiler knows no store changes it */
    const vf count = v_set1(loss == FM_LOSS_kl_divergence ? 1.0f : (float)a->cols), scale = v_set1(a->scale);
    fm_loss_constants k = {.threshold = v_set1(loss == FM_LOSS_binary_accuracy ? a->threshold : 0.5f), .power = a->parameter[0]};
    for (int i = 0; i < FM_LOSS_PARAMETERS; i++)
        k.parameter[i] = v_set1(a->parameter[i]);
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        const vf factor = v_div(v_mul(fm_block_weights(a, b), scale), count);
        vf value, correct;
        if (fm_columnwise_is_costly(loss) && a->cols <= FM_PANEL)
            fm_columnwise_narrow(loss, a, b, &k, factor, &value, &correct);
        else
            fm_columnwise_wide(loss, a, b, &k, factor, &value, &correct);
        fm_block_loss(a, b, v_div(value, count));
        if (fm_columnwise_has_hits(loss) && a->hit)
            v_store_first(a->hit + first, v_div(correct, count), b.rows);
    }
}

void FM_FUNCTION(loss_mean_squared_error)(const fm_loss *a) { fm_columnwise(FM_LOSS_mean_squared_error, a); }
void FM_FUNCTION(loss_mean_absolute_error)(const fm_loss *a) { fm_columnwise(FM_LOSS_mean_absolute_error, a); }
void FM_FUNCTION(loss_binary_crossentropy)(const fm_loss *a) { fm_columnwise(FM_LOSS_binary_crossentropy, a); }
void FM_FUNCTION(loss_binary_crossentropy_from_logits)(const fm_loss *a) { fm_columnwise(FM_LOSS_binary_crossentropy_from_logits, a); }
void FM_FUNCTION(loss_binary_accuracy)(const fm_loss *a) { fm_columnwise(FM_LOSS_binary_accuracy, a); }
void FM_FUNCTION(loss_mean_absolute_percentage_error)(const fm_loss *a) { fm_columnwise(FM_LOSS_mean_absolute_percentage_error, a); }
void FM_FUNCTION(loss_mean_squared_logarithmic_error)(const fm_loss *a) { fm_columnwise(FM_LOSS_mean_squared_logarithmic_error, a); }
void FM_FUNCTION(loss_huber)(const fm_loss *a) { fm_columnwise(FM_LOSS_huber, a); }
void FM_FUNCTION(loss_log_cosh)(const fm_loss *a) { fm_columnwise(FM_LOSS_log_cosh, a); }
void FM_FUNCTION(loss_quantile)(const fm_loss *a) { fm_columnwise(FM_LOSS_quantile, a); }
void FM_FUNCTION(loss_poisson)(const fm_loss *a) { fm_columnwise(FM_LOSS_poisson, a); }
void FM_FUNCTION(loss_hinge)(const fm_loss *a) { fm_columnwise(FM_LOSS_hinge, a); }
void FM_FUNCTION(loss_squared_hinge)(const fm_loss *a) { fm_columnwise(FM_LOSS_squared_hinge, a); }
void FM_FUNCTION(loss_kl_divergence)(const fm_loss *a) { fm_columnwise(FM_LOSS_kl_divergence, a); }
void FM_FUNCTION(loss_binary_focal_crossentropy)(const fm_loss *a) { fm_columnwise(FM_LOSS_binary_focal_crossentropy, a); }
void FM_FUNCTION(loss_binary_focal_crossentropy_from_logits)(const fm_loss *a) {
    fm_columnwise(FM_LOSS_binary_focal_crossentropy_from_logits, a);
}

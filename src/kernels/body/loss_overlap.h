/* Losses of overlap: targets and predictions are two fuzzy sets, of all rows together or of each row. */

/* Σ x·y, Σ y and Σ x of a set, and the weight of its rows. */
typedef struct fm_overlap_sums {
    float product, y, x, weight;
} fm_overlap_sums;

/* Value and gradient of the rows that are one set: 1 − k·Σxy / below, where the denominator grows by β + γ·y with a column of x. */
FM_INLINE void fm_overlap_set(const int dice, const fm_loss *a, fm_block b, fm_overlap_sums s) {
    const float k = dice ? 2.0f : 1.0f;
    const float alpha = dice ? 1.0f : a->parameter[0], beta = dice ? 1.0f : a->parameter[1], gamma = dice ? 0.0f : 1.0f - alpha - beta;
    const float denominator = (dice ? s.y + s.x : s.product + alpha * (s.y - s.product) + beta * (s.x - s.product)) + 1e-7f;
    const float value = 1.0f - k * s.product / denominator, factor = a->scale * s.weight / denominator / denominator * k;
    const vf slope = v_set1((s.product * gamma - denominator) * factor), constant = v_set1(s.product * beta * factor), zero = v_set1(0.0f);
    const vm tail = v_tail(a->cols);
    for (ptrdiff_t r = b.first; r < b.first + b.rows; r++) {
        a->loss[r] = (a->weight ? a->weight[r] : 1.0f) * value;
        for (ptrdiff_t c = 0; a->grad && c < FM_ROUND_UP(a->cols); c += V_LANES) {
            const vf g = v_fma(v_load(a->y + r * a->y_row + c), slope, constant);
            v_store(a->grad + r * a->grad_row + c, v_keep(g, a->cols - c, tail, zero));
        }
    }
}

FM_INLINE void fm_overlap(const int dice, const fm_loss *a) {
    const vm tail = v_tail(a->cols);
    const vf zero = v_set1(0.0f);
    const int by_row = a->parameter[2] != 0.0f;
    fm_overlap_sums total = {0.0f, 0.0f, 0.0f, 0.0f};
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        vf products[V_LANES], ys[V_LANES], xs[V_LANES];
        for (int i = 0; i < V_LANES; i++) {
            const float *x = a->x + (first + i) * a->x_row, *y = a->y + (first + i) * a->y_row;
            products[i] = i < b.rows ? fm_row_dot(x, y, a->cols, tail) : zero;
            ys[i] = i < b.rows ? fm_row_sum(y, a->cols, tail) : zero;
            xs[i] = i < b.rows ? fm_row_sum(x, a->cols, tail) : zero;
        }
        float product[V_LANES], y[V_LANES], x[V_LANES], weight[V_LANES];
        v_store(product, fm_sum_rows(products));
        v_store(y, fm_sum_rows(ys));
        v_store(x, fm_sum_rows(xs));
        v_store(weight, fm_block_weights(a, b));
        for (int i = 0; i < b.rows; i++) { /* row by row, so that the order does not depend on the vector width */
            const fm_overlap_sums s = {product[i], y[i], x[i], weight[i]};
            if (by_row)
                fm_overlap_set(dice, a, (fm_block){first + i, 1}, s);
            total = (fm_overlap_sums){total.product + s.product, total.y + s.y, total.x + s.x, total.weight + s.weight};
        }
    }
    if (!by_row)
        fm_overlap_set(dice, a, (fm_block){0, a->rows}, total);
}

void FM_FUNCTION(loss_dice)(const fm_loss *a) { fm_overlap(1, a); }
void FM_FUNCTION(loss_tversky)(const fm_loss *a) { fm_overlap(0, a); }

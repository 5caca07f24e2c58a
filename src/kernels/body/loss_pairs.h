/* Losses of pairs: every row of the batch is compared with every other one. */
#include <math.h>

FM_INLINE float fm_lane_first(vf a) {
    float lanes[V_LANES];
    v_store(lanes, a);
    return lanes[0];
}

/* The sum and the maximum of one row from its lanes, by the functions for V_LANES rows. */
FM_INLINE void fm_lane_repeat(vf rows[V_LANES], vf lanes) {
    for (int i = 0; i < V_LANES; i++)
        rows[i] = lanes;
}
FM_INLINE float fm_lane_sum(vf lanes) {
    vf rows[V_LANES];
    fm_lane_repeat(rows, lanes);
    return fm_lane_first(fm_sum_rows(rows));
}
FM_INLINE float fm_lane_max(vf lanes) {
    vf rows[V_LANES];
    fm_lane_repeat(rows, lanes);
    return fm_lane_first(fm_max_rows(rows));
}

/* 1 − xᵢ·xⱼ for all rows j. */
FM_INLINE void fm_pair_distances(const fm_loss *a, ptrdiff_t i, vm tail, float *distance) {
    for (ptrdiff_t first = 0; first < a->rows; first += V_LANES) {
        const fm_block b = fm_block_at(a, first);
        vf products[V_LANES];
        for (int k = 0; k < V_LANES; k++)
            products[k] = k < b.rows ? fm_row_dot(a->x + i * a->x_row, a->x + (first + k) * a->x_row, a->cols, tail) : v_set1(0.0f);
        v_store_first(distance + first, v_sub(v_set1(1.0f), fm_sum_rows(products)), b.rows);
    }
}

/* log Σ e^x. x is replaced by the exponentials relative to the maximum, and *sum receives their sum. −∞, and a sum of 0, if all are −∞. */
FM_INLINE float fm_pair_log_sum(float *x, ptrdiff_t n, vm tail, float *sum) {
    const float largest = fm_lane_max(fm_row_max(x, n, tail));
    if (largest == -(float)INFINITY &&
        fm_lane_sum(fm_row_sum(x, n, tail)) == largest) { /* not where some are NaN, which no maximum shows */
        memset(x, 0, (size_t)n * sizeof *x);
        *sum = 0.0f;
        return largest;
    }
    *sum = fm_lane_sum(fm_row_exp(x, x, n, tail, v_set1(largest)));
    return fm_lane_first(v_log(v_set1(*sum))) + largest;
}

/* grad += factor·x, of whole padded rows. */
FM_INLINE void fm_pair_add(float *grad, const float *x, float factor, ptrdiff_t cols) {
    for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES)
        v_store(grad + c, v_fma(v_set1(factor), v_load(x + c), v_load(grad + c)));
}

/* With d = max(1 − xᵢ·xⱼ, 0): softplus(log Σ e^(γ(d² − m²)) + log Σ e^(γ·max(1 + m − d, 0)·(1 − m − d))), over the rows of the same label and
 * over the others. */
void FM_FUNCTION(loss_sparse_circle)(const fm_loss *a) {
    const ptrdiff_t rows = a->rows, room = FM_ROUND_UP(rows);
    const float gamma = a->parameter[0], margin = a->parameter[1], never = -(float)INFINITY;
    const int others_only = a->parameter[2] != 0.0f;
    const vm tail = v_tail(a->cols), row_tail = v_tail(rows);
    float *distance = a->room, *near = distance + room, *far = near + room;
    ptrdiff_t counting = 0;
    for (ptrdiff_t r = 0; r < rows && a->grad; r++)
        memset(a->grad + r * a->grad_row, 0, (size_t)FM_ROUND_UP(a->cols) * sizeof(float));
    for (ptrdiff_t i = 0; i < rows; i++) {
        fm_pair_distances(a, i, tail, distance);
        for (ptrdiff_t j = 0; j < rows; j++) {
            const float d = distance[j] <= 0.0f ? 0.0f : distance[j], open = 1.0f + margin - d, left = open <= 0.0f ? 0.0f : open;
            const int same = a->labels[i] == a->labels[j];
            distance[j] = d;
            near[j] = same && !(others_only && i == j) ? gamma * (d * d - margin * margin) : never;
            far[j] = same ? never : gamma * left * (1.0f - margin - d);
        }
        float near_sum, far_sum;
        const float pull = fm_pair_log_sum(near, rows, row_tail, &near_sum), push = fm_pair_log_sum(far, rows, row_tail, &far_sum);
        const vf total = v_set1(pull + push);
        const float value = fm_lane_first(v_softplus(total)), weight = a->weight ? a->weight[i] : 1.0f;
        a->loss[i] = weight * value;
        counting += value > 0.0f;
        if (!a->grad || !(value > 0.0f))
            continue;
        const float slope = weight * fm_lane_first(v_sigmoid(total)), near_share = slope / near_sum, far_share = slope / far_sum;
        for (ptrdiff_t j = 0; j < rows; j++) {
            const float d = distance[j], by_far = 1.0f + margin - d > 0.0f ? 2.0f * gamma * (d - 1.0f) : 0.0f;
            const float by_distance = near[j] * near_share * 2.0f * gamma * d + far[j] * far_share * by_far;
            if (d <= 0.0f || by_distance == 0.0f)
                continue;
            fm_pair_add(a->grad + i * a->grad_row, a->x + j * a->x_row, -by_distance, a->cols);
            fm_pair_add(a->grad + j * a->grad_row, a->x + i * a->x_row, -by_distance, a->cols);
        }
    }
    const float share = (float)rows / (float)(counting ? counting : 1);
    for (ptrdiff_t r = 0; r < rows; r++) {
        a->loss[r] *= share;
        if (a->grad)
            fm_row_scale(a->grad + r * a->grad_row, a->grad + r * a->grad_row, a->cols, tail, v_set1(share * a->scale));
    }
}

/* Batch norm and layer norm with their backward, and PReLU.
 *
 * Sums over a column add rows in order, 16 columns at a time; sums over a row have the fixed order of kernels.h. Variances use two
 * passes, so that large means cost no precision.
 */

/* 1/√(variance + ε), and 0 where that would be infinite: a column that never changes, with ε = 0, has nothing to scale. */
FM_INLINE vf fm_inverse_root(vf variance, float epsilon) {
    const vf zero = v_set1(0.0f), root = v_sqrt(v_add(variance, v_set1(epsilon)));
    return v_select(v_eq(root, zero), zero, v_div(v_set1(1.0f), root));
}

FM_INLINE void fm_column_moments_at(const fm_column_moments *m, ptrdiff_t c, int vectors) {
    const ptrdiff_t rows = m->rows, stride = m->x_row;
    const float *x = m->x + c;
    const vf zero = v_set1(0.0f), count = v_set1((float)rows);
    vf sum[FM_COLUMN_VECTORS] = {zero, zero, zero, zero}, squares[FM_COLUMN_VECTORS] = {zero, zero, zero, zero};
    for (ptrdiff_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[v] = v_add(sum[v], v_load(x + r * stride + v * V_LANES));
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sum[v] = v_div(sum[v], count);
    for (ptrdiff_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const vf off = v_sub(v_load(x + r * stride + v * V_LANES), sum[v]);
            squares[v] = v_fma(off, off, squares[v]);
        }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        v_store(m->mean + c + v * V_LANES, sum[v]);
        v_store(m->variance + c + v * V_LANES, v_div(squares[v], count));
    }
}

void FM_FUNCTION(column_moments)(const fm_column_moments *m) { FM_BY_COLUMNS(fm_column_moments_at, m, m->cols); }

/* out = (x − centre)·scale + offset, the three from a vector of columns. */
FM_INLINE void fm_batch_norm_at(const fm_batch_norm *n, ptrdiff_t first, int vectors) {
    const vf zero = v_set1(0.0f);
    vf centre[FM_COLUMN_VECTORS], scale[FM_COLUMN_VECTORS], offset[FM_COLUMN_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        const ptrdiff_t c = first + v * V_LANES;
        const vf mean = n->mean ? v_load(n->mean + c) : zero, beta = n->beta ? v_load(n->beta + c) : zero;
        centre[v] = offset[v] = zero;
        switch (n->kind) {
        case FM_NORMALIZE_BATCH:
            scale[v] = fm_inverse_root(v_load(n->variance + c), n->epsilon);
            scale[v] = n->gamma ? v_mul(scale[v], v_load(n->gamma + c)) : scale[v];
            centre[v] = mean;
            offset[v] = beta;
            break;
        case FM_NORMALIZE_STANDARD:
            scale[v] = v_div(v_set1(1.0f), v_max(v_set1(n->epsilon), v_sqrt(v_load(n->variance + c))));
            centre[v] = mean;
            break;
        case FM_NORMALIZE_INVERSE:
            scale[v] = v_max(v_set1(n->epsilon), v_sqrt(v_load(n->variance + c)));
            offset[v] = mean;
            break;
        default: /* FM_NORMALIZE_SCALE */
            scale[v] = v_load(n->gamma + c);
            offset[v] = beta;
        }
    }
    for (ptrdiff_t r = 0; r < n->rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const vf x = v_load(n->x + r * n->x_row + first + v * V_LANES);
            v_store(n->out + r * n->out_row + first + v * V_LANES, v_fma(v_sub(x, centre[v]), scale[v], offset[v]));
        }
}

void FM_FUNCTION(batch_norm)(const fm_batch_norm *n) { FM_BY_COLUMNS(fm_batch_norm_at, n, n->cols); }

FM_INLINE void fm_batch_norm_backward_at(const fm_batch_norm_backward *n, ptrdiff_t c, int vectors) {
    const ptrdiff_t rows = n->rows;
    const float *x = n->x + c, *grad = n->grad + c;
    const vf zero = v_set1(0.0f), count = v_set1((float)rows);
    vf mean[FM_COLUMN_VECTORS], inverse[FM_COLUMN_VECTORS];
    vf dbeta[FM_COLUMN_VECTORS] = {zero, zero, zero, zero}, dgamma[FM_COLUMN_VECTORS] = {zero, zero, zero, zero};
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        mean[v] = v_load(n->mean + c + v * V_LANES);
        inverse[v] = fm_inverse_root(v_load(n->variance + c + v * V_LANES), n->epsilon);
    }
    for (ptrdiff_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const vf g = v_load(grad + r * n->grad_row + v * V_LANES), off = v_sub(v_load(x + r * n->x_row + v * V_LANES), mean[v]);
            dbeta[v] = v_add(dbeta[v], g);
            dgamma[v] = v_fma(g, v_mul(off, inverse[v]), dgamma[v]);
        }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        v_store(n->dbeta + c + v * V_LANES, dbeta[v]);
        v_store(n->dgamma + c + v * V_LANES, dgamma[v]);
    }
    if (!n->out)
        return;
    vf scale[FM_COLUMN_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        scale[v] = n->gamma ? v_mul(inverse[v], v_load(n->gamma + c + v * V_LANES)) : inverse[v];
        dbeta[v] = v_div(dbeta[v], count);
        dgamma[v] = v_div(dgamma[v], count);
    }
    for (ptrdiff_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const vf normal = v_mul(v_sub(v_load(x + r * n->x_row + v * V_LANES), mean[v]), inverse[v]);
            const vf rest = v_fnma(normal, dgamma[v], v_sub(v_load(grad + r * n->grad_row + v * V_LANES), dbeta[v]));
            v_store(n->out + r * n->out_row + c + v * V_LANES, v_mul(rest, scale[v]));
        }
}

void FM_FUNCTION(batch_norm_backward)(const fm_batch_norm_backward *n) { FM_BY_COLUMNS(fm_batch_norm_backward_at, n, n->cols); }

/* The lanes of Σ_c (x − mean), or of its square. */
FM_INLINE vf fm_row_moment(const float *x, ptrdiff_t cols, vm tail, vf mean, int square) {
    const vf zero = v_set1(0.0f);
    vf sums[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++)
        sums[v] = zero;
    for (ptrdiff_t c = 0; c < cols; c += FM_PANEL)
        for (int v = 0; v < FM_VECTORS; v++) {
            const ptrdiff_t at = c + v * V_LANES;
            const vf off = v_keep(v_sub(v_load(x + at), mean), cols - at, tail, zero);
            sums[v] = square ? v_fma(off, off, sums[v]) : v_add(sums[v], off);
        }
    return fm_fold_sum(sums);
}

/* The lanes of Σ_c h and of Σ_c h·x̂ with h = grad·gamma and x̂ = (x − mean)·scale. */
FM_INLINE void fm_row_slopes(const fm_layer_norm_backward *n, ptrdiff_t r, vm tail, vf mean, vf scale, vf *shift, vf *slope) {
    const float *x = n->x + r * n->x_row, *grad = n->grad + r * n->grad_row;
    const vf zero = v_set1(0.0f);
    vf shifts[FM_VECTORS], slopes[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++)
        shifts[v] = slopes[v] = zero;
    for (ptrdiff_t c = 0; c < n->cols; c += FM_PANEL)
        for (int v = 0; v < FM_VECTORS; v++) {
            const ptrdiff_t at = c + v * V_LANES;
            const vf g = v_load(grad + at);
            const vf h = v_keep(n->gamma ? v_mul(g, v_load(n->gamma + at)) : g, n->cols - at, tail, zero);
            const vf normal = v_keep(v_mul(v_sub(v_load(x + at), mean), scale), n->cols - at, tail, zero);
            shifts[v] = v_add(shifts[v], h);
            slopes[v] = v_fma(h, normal, slopes[v]);
        }
    *shift = fm_fold_sum(shifts);
    *slope = fm_fold_sum(slopes);
}

void FM_FUNCTION(layer_norm)(const fm_layer_norm *n) {
    const ptrdiff_t rows = n->rows, cols = n->cols;
    const vm tail = v_tail(cols);
    const vf zero = v_set1(0.0f), count = v_set1((float)cols);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        const float *x = n->x + r * n->x_row;
        float mean[V_LANES], scale[V_LANES];
        vf lanes[V_LANES];
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here && n->centered ? fm_row_moment(x + i * n->x_row, cols, tail, zero, 0) : zero;
        v_store(mean, v_div(fm_sum_rows(lanes), count));
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here ? fm_row_moment(x + i * n->x_row, cols, tail, v_set1(mean[i]), 1) : zero;
        v_store(scale, fm_inverse_root(v_div(fm_sum_rows(lanes), count), n->epsilon));
        for (int i = 0; i < here; i++) {
            float *out = n->out + (r + i) * n->out_row;
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                vf y = v_mul(v_sub(v_load(x + i * n->x_row + c), v_set1(mean[i])), v_set1(scale[i]));
                if (n->gamma)
                    y = v_mul(y, v_load(n->gamma + c));
                if (n->beta)
                    y = v_add(y, v_load(n->beta + c));
                v_store(out + c, v_keep(y, cols - c, tail, zero));
            }
            if (n->mean) {
                n->mean[r + i] = mean[i];
                n->scale[r + i] = scale[i];
            }
        }
    }
}

void FM_FUNCTION(layer_norm_backward)(const fm_layer_norm_backward *n) {
    const ptrdiff_t rows = n->rows, cols = n->cols;
    const vm tail = v_tail(cols);
    const vf zero = v_set1(0.0f), count = v_set1((float)cols);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        float shift[V_LANES], slope[V_LANES];
        vf shifts[V_LANES], slopes[V_LANES];
        for (int i = 0; i < V_LANES; i++) {
            shifts[i] = slopes[i] = zero;
            if (i < here)
                fm_row_slopes(n, r + i, tail, v_set1(n->mean[r + i]), v_set1(n->scale[r + i]), &shifts[i], &slopes[i]);
        }
        v_store(shift, n->centered ? v_div(fm_sum_rows(shifts), count) : zero);
        v_store(slope, v_div(fm_sum_rows(slopes), count));
        for (int i = 0; i < here; i++) {
            const float *x = n->x + (r + i) * n->x_row, *grad = n->grad + (r + i) * n->grad_row;
            float *out = n->out + (r + i) * n->out_row;
            const vf mean = v_set1(n->mean[r + i]), scale = v_set1(n->scale[r + i]);
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                const vf g = v_load(grad + c);
                const vf h = n->gamma ? v_mul(g, v_load(n->gamma + c)) : g;
                const vf normal = v_mul(v_sub(v_load(x + c), mean), scale);
                const vf rest = v_fnma(normal, v_set1(slope[i]), v_sub(h, v_set1(shift[i])));
                v_store(out + c, v_keep(v_mul(rest, scale), cols - c, tail, zero));
            }
        }
    }
}

FM_INLINE void fm_layer_norm_parameter_gradients_at(const fm_layer_norm_parameter_gradients *n, ptrdiff_t c, int vectors) {
    const vf zero = v_set1(0.0f);
    vf dbeta[FM_COLUMN_VECTORS] = {zero, zero, zero, zero}, dgamma[FM_COLUMN_VECTORS] = {zero, zero, zero, zero};
    for (ptrdiff_t r = 0; r < n->rows; r++) {
        const vf mean = v_set1(n->mean[r]), scale = v_set1(n->scale[r]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const vf g = v_load(n->grad + r * n->grad_row + c + v * V_LANES);
            dbeta[v] = v_add(dbeta[v], g);
            dgamma[v] = v_fma(g, v_mul(v_sub(v_load(n->x + r * n->x_row + c + v * V_LANES), mean), scale), dgamma[v]);
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        v_store(n->dbeta + c + v * V_LANES, dbeta[v]);
        v_store(n->dgamma + c + v * V_LANES, dgamma[v]);
    }
}

void FM_FUNCTION(layer_norm_parameter_gradients)(const fm_layer_norm_parameter_gradients *n) {
    FM_BY_COLUMNS(fm_layer_norm_parameter_gradients_at, n, n->cols);
}

FM_INLINE void fm_prelu_at(const fm_prelu *p, ptrdiff_t c, int vectors) {
    const vf zero = v_set1(0.0f);
    vf alpha[FM_COLUMN_VECTORS] = {zero, zero, zero, zero};
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        alpha[v] = v_load(p->alpha + c + v * V_LANES);
    for (ptrdiff_t r = 0; r < p->rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const vf x = v_load(p->x + r * p->x_row + c + v * V_LANES);
            v_store(p->out + r * p->out_row + c + v * V_LANES, v_select(v_lt(zero, x), x, v_mul(alpha[v], x)));
        }
}

void FM_FUNCTION(prelu)(const fm_prelu *p) { FM_BY_COLUMNS(fm_prelu_at, p, p->cols); }

FM_INLINE void fm_prelu_backward_at(const fm_prelu *p, ptrdiff_t c, int vectors) {
    const vf zero = v_set1(0.0f), one = v_set1(1.0f);
    vf alpha[FM_COLUMN_VECTORS] = {zero, zero, zero, zero}, dalpha[FM_COLUMN_VECTORS] = {zero, zero, zero, zero};
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        alpha[v] = v_load(p->alpha + c + v * V_LANES);
    for (ptrdiff_t r = 0; r < p->rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const ptrdiff_t at = c + v * V_LANES;
            const vf x = v_load(p->x + r * p->x_row + at), g = v_load(p->grad + r * p->grad_row + at);
            dalpha[v] = v_fma(g, v_select(v_lt(x, zero), x, zero), dalpha[v]);
            if (p->out)
                v_store(p->out + r * p->out_row + at, v_mul(g, v_select(v_lt(zero, x), one, v_select(v_lt(x, zero), alpha[v], zero))));
        }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        v_store(p->dalpha + c + v * V_LANES, dalpha[v]);
}

void FM_FUNCTION(prelu_backward)(const fm_prelu *p) { FM_BY_COLUMNS(fm_prelu_backward_at, p, p->cols); }

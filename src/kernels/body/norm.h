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

void FM_FUNCTION(column_moments)(const fm_column_moments *m) {
    const ptrdiff_t rows = m->rows, stride = m->x_row;
    const vf count = v_set1((float)rows);
    for (ptrdiff_t c = 0; c < m->cols; c += V_LANES) {
        const float *x = m->x + c;
        vf sum = v_set1(0.0f), squares = v_set1(0.0f);
        for (ptrdiff_t r = 0; r < rows; r++)
            sum = v_add(sum, v_load(x + r * stride));
        const vf mean = v_div(sum, count);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const vf off = v_sub(v_load(x + r * stride), mean);
            squares = v_fma(off, off, squares);
        }
        v_store(m->mean + c, mean);
        v_store(m->variance + c, v_div(squares, count));
    }
}

/* out = (x − centre)·scale + offset, the three from a vector of columns. */
void FM_FUNCTION(batch_norm)(const fm_batch_norm *n) {
    const vf zero = v_set1(0.0f);
    for (ptrdiff_t c = 0; c < n->cols; c += V_LANES) {
        vf centre = zero, scale = zero, offset = zero;
        switch (n->kind) {
        case FM_NORMALIZE_BATCH:
            scale = fm_inverse_root(v_load(n->variance + c), n->epsilon);
            scale = n->gamma ? v_mul(scale, v_load(n->gamma + c)) : scale;
            centre = n->mean ? v_load(n->mean + c) : zero;
            offset = n->beta ? v_load(n->beta + c) : zero;
            break;
        case FM_NORMALIZE_STANDARD:
            scale = v_div(v_set1(1.0f), v_max(v_set1(n->epsilon), v_sqrt(v_load(n->variance + c))));
            centre = n->mean ? v_load(n->mean + c) : zero;
            break;
        case FM_NORMALIZE_INVERSE:
            scale = v_max(v_set1(n->epsilon), v_sqrt(v_load(n->variance + c)));
            offset = n->mean ? v_load(n->mean + c) : zero;
            break;
        case FM_NORMALIZE_SCALE:
            scale = v_load(n->gamma + c);
            offset = n->beta ? v_load(n->beta + c) : zero;
            break;
        }
        for (ptrdiff_t r = 0; r < n->rows; r++)
            v_store(n->out + r * n->out_row + c, v_fma(v_sub(v_load(n->x + r * n->x_row + c), centre), scale, offset));
    }
}

void FM_FUNCTION(batch_norm_backward)(const fm_batch_norm_backward *n) {
    const ptrdiff_t rows = n->rows;
    const vf count = v_set1((float)rows);
    for (ptrdiff_t c = 0; c < n->cols; c += V_LANES) {
        const float *x = n->x + c, *grad = n->grad + c;
        const vf mean = v_load(n->mean + c), inverse = fm_inverse_root(v_load(n->variance + c), n->epsilon);
        vf dbeta = v_set1(0.0f), dgamma = v_set1(0.0f);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const vf g = v_load(grad + r * n->grad_row);
            dbeta = v_add(dbeta, g);
            dgamma = v_fma(g, v_mul(v_sub(v_load(x + r * n->x_row), mean), inverse), dgamma);
        }
        v_store(n->dbeta + c, dbeta);
        v_store(n->dgamma + c, dgamma);
        if (!n->out)
            continue;
        const vf scale = n->gamma ? v_mul(inverse, v_load(n->gamma + c)) : inverse;
        const vf shift = v_div(dbeta, count), slope = v_div(dgamma, count);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const vf normal = v_mul(v_sub(v_load(x + r * n->x_row), mean), inverse);
            const vf rest = v_fnma(normal, slope, v_sub(v_load(grad + r * n->grad_row), shift));
            v_store(n->out + r * n->out_row + c, v_mul(rest, scale));
        }
    }
}

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

void FM_FUNCTION(layer_norm_parameter_gradients)(const fm_layer_norm_parameter_gradients *n) {
    for (ptrdiff_t c = 0; c < n->cols; c += V_LANES) {
        vf dbeta = v_set1(0.0f), dgamma = v_set1(0.0f);
        for (ptrdiff_t r = 0; r < n->rows; r++) {
            const vf g = v_load(n->grad + r * n->grad_row + c);
            const vf normal = v_mul(v_sub(v_load(n->x + r * n->x_row + c), v_set1(n->mean[r])), v_set1(n->scale[r]));
            dbeta = v_add(dbeta, g);
            dgamma = v_fma(g, normal, dgamma);
        }
        v_store(n->dbeta + c, dbeta);
        v_store(n->dgamma + c, dgamma);
    }
}

void FM_FUNCTION(prelu)(const fm_prelu *p) {
    for (ptrdiff_t c = 0; c < p->cols; c += V_LANES) {
        const vf alpha = v_load(p->alpha + c), zero = v_set1(0.0f);
        for (ptrdiff_t r = 0; r < p->rows; r++) {
            const vf x = v_load(p->x + r * p->x_row + c);
            v_store(p->out + r * p->out_row + c, v_select(v_lt(zero, x), x, v_mul(alpha, x)));
        }
    }
}

void FM_FUNCTION(prelu_backward)(const fm_prelu *p) {
    for (ptrdiff_t c = 0; c < p->cols; c += V_LANES) {
        const vf alpha = v_load(p->alpha + c), zero = v_set1(0.0f), one = v_set1(1.0f);
        vf dalpha = zero;
        for (ptrdiff_t r = 0; r < p->rows; r++) {
            const vf x = v_load(p->x + r * p->x_row + c), g = v_load(p->grad + r * p->grad_row + c);
            dalpha = v_fma(g, v_select(v_lt(x, zero), x, zero), dalpha);
            if (p->out)
                v_store(p->out + r * p->out_row + c, v_mul(g, v_select(v_lt(zero, x), one, v_select(v_lt(x, zero), alpha, zero))));
        }
        v_store(p->dalpha + c, dalpha);
    }
}

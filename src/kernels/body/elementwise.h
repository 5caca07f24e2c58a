/* Kernels over flat arrays, and softmax over rows. A tail of fewer than 16 elements goes through a buffer, so that nothing outside the
 * arrays is accessed. */

enum {
    FM_ELEMENTWISE_ACTIVATION,
    FM_ELEMENTWISE_ACTIVATION_BACKWARD,
    FM_ELEMENTWISE_MULTIPLY,
    FM_ELEMENTWISE_ADD,
    FM_ELEMENTWISE_SUBTRACT,
    FM_ELEMENTWISE_MAXIMUM,
    FM_ELEMENTWISE_MINIMUM,
    FM_ELEMENTWISE_SCALE,
    FM_ELEMENTWISE_EXP,
    FM_ELEMENTWISE_LOG,
    FM_ELEMENTWISE_ERF
};

/* Maximum and minimum; NaN if one of them is. */
FM_INLINE vf fm_larger(vf x, vf y) { return v_select(v_le(x, y), y, v_select(v_le(y, x), x, v_add(x, y))); }

FM_INLINE vf fm_smaller(vf x, vf y) { return v_select(v_le(x, y), x, v_select(v_le(y, x), y, v_add(x, y))); }

/* 16 elements; out may be x. */
FM_INLINE void fm_elementwise_panel(const int kernel, const fm_elementwise *e, const float *x, const float *y, float *out) {
    const fm_constants constants = {v_set1(e->alpha), v_set1(e->threshold), v_set1(e->max_value)};
    vf a[FM_VECTORS], b[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++) {
        a[v] = v_load(x + v * V_LANES);
        b[v] = v_load(y + v * V_LANES);
    }
    switch (kernel) {
    case FM_ELEMENTWISE_ACTIVATION:
        if (e->activation < FM_OUTPUT_ACTIVATION_COUNT)
            fm_activation_block(e->activation, e->alpha, a, FM_VECTORS);
        else
            fm_input_activation_block(e->activation, constants, a, FM_VECTORS);
        break;
    case FM_ELEMENTWISE_ACTIVATION_BACKWARD:
        if (e->activation < FM_OUTPUT_ACTIVATION_COUNT)
            fm_activation_backward_block(e->activation, e->alpha, b, a, FM_VECTORS);
        else
            fm_input_activation_backward_block(e->activation, constants, b, a, FM_VECTORS);
        break;
    case FM_ELEMENTWISE_MULTIPLY:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = v_mul(a[v], b[v]);
        break;
    case FM_ELEMENTWISE_ADD:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = v_add(a[v], b[v]);
        break;
    case FM_ELEMENTWISE_SUBTRACT:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = v_sub(a[v], b[v]);
        break;
    case FM_ELEMENTWISE_MAXIMUM:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = fm_larger(a[v], b[v]);
        break;
    case FM_ELEMENTWISE_MINIMUM:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = fm_smaller(a[v], b[v]);
        break;
    case FM_ELEMENTWISE_SCALE:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = v_mul(a[v], v_set1(e->alpha));
        break;
    case FM_ELEMENTWISE_EXP:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = v_exp(a[v]);
        break;
    case FM_ELEMENTWISE_LOG:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = v_log(a[v]);
        break;
    case FM_ELEMENTWISE_ERF:
        for (int v = 0; v < FM_VECTORS; v++)
            a[v] = v_erf(a[v]);
        break;
    }
    for (int v = 0; v < FM_VECTORS; v++)
        v_store(out + v * V_LANES, kernel == FM_ELEMENTWISE_ACTIVATION_BACKWARD ? b[v] : a[v]);
}

/* The incomplete last panel goes through the same code by way of buffers, because the code for all activations is long. */
FM_INLINE void fm_elementwise_all(const int kernel, const fm_elementwise *arguments) {
    const fm_elementwise copy = *arguments, *const e = &copy; /* a copy, so that the compiler knows no store changes it */
    const float *y = kernel >= FM_ELEMENTWISE_ACTIVATION_BACKWARD && kernel <= FM_ELEMENTWISE_MINIMUM ? e->y : e->x;
    float x_tail[FM_PANEL] = {0}, y_tail[FM_PANEL] = {0};
    for (ptrdiff_t i = 0; i < e->n; i += FM_PANEL) {
        const int whole = e->n - i >= FM_PANEL;
        const size_t bytes = (size_t)(e->n - i) * sizeof(float);
        if (!whole) {
            memcpy(x_tail, e->x + i, bytes);
            memcpy(y_tail, y + i, bytes);
        }
        fm_elementwise_panel(kernel, e, whole ? e->x + i : x_tail, whole ? y + i : y_tail, whole ? e->out + i : x_tail);
        if (!whole)
            memcpy(e->out + i, x_tail, bytes);
    }
}

void FM_FUNCTION(activation)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_ACTIVATION, e); }
void FM_FUNCTION(activation_backward)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_ACTIVATION_BACKWARD, e); }
void FM_FUNCTION(multiply)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_MULTIPLY, e); }
void FM_FUNCTION(add)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_ADD, e); }
void FM_FUNCTION(subtract)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_SUBTRACT, e); }
void FM_FUNCTION(maximum)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_MAXIMUM, e); }
void FM_FUNCTION(minimum)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_MINIMUM, e); }
void FM_FUNCTION(scale)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_SCALE, e); }
void FM_FUNCTION(exp)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_EXP, e); }
void FM_FUNCTION(log)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_LOG, e); }
void FM_FUNCTION(erf)(const fm_elementwise *e) { fm_elementwise_all(FM_ELEMENTWISE_ERF, e); }

/* 16 elements. */
FM_INLINE void fm_maximum_backward_panel(const float *x, const float *y, const float *grad, float *out) {
    for (int v = 0; v < FM_PANEL; v += V_LANES) {
        const vf a = v_load(x + v), b = v_load(y + v), g = v_load(grad + v);
        v_store(out + v, v_select(v_lt(b, a), g, v_select(v_lt(a, b), v_set1(0.0f), v_mul(g, v_set1(0.5f)))));
    }
}

void FM_FUNCTION(maximum_backward)(const fm_maximum_backward *m) {
    ptrdiff_t i = 0;
    for (; i + FM_PANEL <= m->n; i += FM_PANEL)
        fm_maximum_backward_panel(m->x + i, m->y + i, m->grad + i, m->out + i);
    if (i < m->n) {
        const size_t bytes = (size_t)(m->n - i) * sizeof(float);
        float x[FM_PANEL] = {0}, y[FM_PANEL] = {0}, grad[FM_PANEL] = {0};
        memcpy(x, m->x + i, bytes);
        memcpy(y, m->y + i, bytes);
        memcpy(grad, m->grad + i, bytes);
        fm_maximum_backward_panel(x, y, grad, grad);
        memcpy(m->out + i, grad, bytes);
    }
}

void FM_FUNCTION(from_uint8)(const fm_from_uint8 *f) {
    const ptrdiff_t n = f->n;
    const uint8_t *x = f->x;
    float *out = f->out;
    ptrdiff_t i = 0;
    for (; i + V_LANES <= n; i += V_LANES)
        v_store(out + i, v_from_uint8(x + i));
    for (; i < n; i++)
        out[i] = (float)x[i];
}

void FM_FUNCTION(softmax)(const fm_softmax *s) {
    const ptrdiff_t rows = s->rows, cols = s->cols, stride = s->stride;
    const vm tail = v_tail(cols);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        const float *x = s->x + r * stride;
        float *out = s->out + r * stride, row[V_LANES];
        vf lanes[V_LANES];
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here ? fm_row_max(x + i * stride, cols, tail) : v_set1(0.0f);
        v_store(row, fm_max_rows(lanes));
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here ? fm_row_exp(x + i * stride, out + i * stride, cols, tail, v_set1(row[i])) : v_set1(1.0f);
        v_store(row, v_div(v_set1(1.0f), fm_sum_rows(lanes)));
        for (int i = 0; i < here; i++)
            fm_row_scale(out + i * stride, out + i * stride, cols, tail, v_set1(row[i]));
    }
}

void FM_FUNCTION(softmax_backward)(const fm_softmax *s) {
    const ptrdiff_t rows = s->rows, cols = s->cols, stride = s->stride;
    const vm tail = v_tail(cols);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        const float *x = s->x + r * stride, *grad = s->grad + r * stride;
        float *out = s->out + r * stride, dot[V_LANES];
        vf lanes[V_LANES];
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here ? fm_row_dot(x + i * stride, grad + i * stride, cols, tail) : v_set1(0.0f);
        v_store(dot, fm_sum_rows(lanes));
        for (int i = 0; i < here; i++)
            for (ptrdiff_t c = i * stride; c < i * stride + FM_ROUND_UP(cols); c += V_LANES) {
                const vf slope = v_mul(v_load(x + c), v_sub(v_load(grad + c), v_set1(dot[i])));
                v_store(out + c, v_keep(slope, cols - (c - i * stride), tail, v_set1(0.0f)));
            }
    }
}

void FM_FUNCTION(log_softmax)(const fm_softmax *s) {
    const ptrdiff_t rows = s->rows, cols = s->cols, stride = s->stride;
    const vm tail = v_tail(cols);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        const float *x = s->x + r * stride;
        float *out = s->out + r * stride, max[V_LANES], log_sum[V_LANES];
        vf lanes[V_LANES];
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here ? fm_row_max(x + i * stride, cols, tail) : v_set1(0.0f);
        v_store(max, fm_max_rows(lanes));
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here ? fm_row_exp(x + i * stride, NULL, cols, tail, v_set1(max[i])) : v_set1(1.0f);
        v_store(log_sum, v_log(fm_sum_rows(lanes)));
        for (int i = 0; i < here; i++)
            for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES) {
                const vf a = v_sub(v_sub(v_load(x + i * stride + c), v_set1(max[i])), v_set1(log_sum[i]));
                v_store(out + i * stride + c, v_keep(a, cols - c, tail, v_set1(0.0f)));
            }
    }
}

void FM_FUNCTION(log_softmax_backward)(const fm_softmax *s) {
    const ptrdiff_t rows = s->rows, cols = s->cols, stride = s->stride;
    const vm tail = v_tail(cols);
    for (ptrdiff_t r = 0; r < rows; r += V_LANES) {
        const ptrdiff_t here = rows - r < V_LANES ? rows - r : V_LANES;
        const float *x = s->x + r * stride, *grad = s->grad + r * stride;
        float *out = s->out + r * stride, sum[V_LANES];
        vf lanes[V_LANES];
        for (int i = 0; i < V_LANES; i++)
            lanes[i] = i < here ? fm_row_sum(grad + i * stride, cols, tail) : v_set1(0.0f);
        v_store(sum, fm_sum_rows(lanes));
        for (int i = 0; i < here; i++)
            for (ptrdiff_t c = i * stride; c < i * stride + FM_ROUND_UP(cols); c += V_LANES) {
                const vf slope = v_fnma(v_exp_nonpositive(v_load(x + c)), v_set1(sum[i]), v_load(grad + c));
                v_store(out + c, v_keep(slope, cols - (c - i * stride), tail, v_set1(0.0f)));
            }
    }
}

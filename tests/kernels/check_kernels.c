/* Calls every kernel of the manifest on every table this processor runs, with the same data, and compares all they write, bit for bit,
 * with what the portable table writes. NaNs count as one.
 *
 * Prints a digest of the portable results of each kernel, which must be the same on every architecture, and last `N passed, M failed`.
 * Besides the tables of the library it knows `wide`, isa/portable.h with the width and the tile of AVX-512 (run.sh).
 */
#include "engine/base/fpmode.h"
#include "trial.h"

#include <math.h>
#include <string.h>

#define TRIALS 1000

/* -- one trial of each kernel ------------------------------------------------------------------------------------------------------ */

/* Sizes and output of a product. Every number of rows up to two of the largest tiles, with every number of panels. */
static fm_gemm draw_gemm(trial *t) {
    fm_gemm g = {.rows = 1 + t->number % 27, .depth = pick(t, 1, 40), .panels = 1 + t->number / 27 % 9, .accumulate = coin(t)};
    const int grad_in_panels = coin(t);
    g.c_row = grad_in_panels ? FM_PANEL : g.panels * FM_PANEL;
    g.c_panel = grad_in_panels ? g.rows * FM_PANEL : FM_PANEL;
    g.c = g.accumulate ? take_floats(t, g.rows * g.panels * FM_PANEL) : take_room(t, g.rows * g.panels * FM_PANEL);
    g.b_step = g.panels * FM_PANEL;
    g.b_panel = FM_PANEL;
    return g;
}

/* The largest value of a general ReLU: a number or infinity. */
static float draw_max_value(trial *t) { return coin(t) ? as_float(0x7F800000) : 4.0f * draw_alpha(t); }

static void try_gemm_forward(trial *t) {
    fm_gemm g = draw_gemm(t);
    g.a_row = g.depth + pick(t, 0, 3);
    g.a = take_floats(t, g.rows * g.a_row);
    g.b_step = FM_PANEL;
    g.b_panel = g.depth * FM_PANEL;
    g.b = take_floats(t, g.panels * g.b_panel);
    g.streams = coin(t);
    g.epilogue = coin(t);
    g.bias = coin(t) ? take_floats(t, g.panels * FM_PANEL) : NULL;
    g.activation = pick(t, 0, FM_ACTIVATION_COUNT - 1);
    g.alpha = draw_alpha(t);
    g.threshold = draw_alpha(t);
    g.max_value = draw_max_value(t);
    if (g.activation > FM_LAST_OUTPUT_ACTIVATION && g.epilogue && coin(t))
        g.derivative = take_room(t, g.rows * g.panels * FM_PANEL);
    t->kernels->gemm_forward(&g);
}

static void try_gemm_dw(trial *t) {
    fm_gemm g = draw_gemm(t);
    g.a_step = g.rows + pick(t, 0, 3);
    g.a = take_floats(t, g.depth * g.a_step);
    g.b = take_floats(t, g.depth * g.b_step);
    g.updated_panel = g.rows * FM_PANEL;
    g.updated = coin(t) ? take_floats(t, g.panels * g.updated_panel) : NULL;
    t->kernels->gemm_dw(&g);
}

/* The order within `out` is the ISA's own; what comes of it is not. */
static void try_pack(trial *t) {
    fm_gemm g = draw_gemm(t);
    const fm_pack pack = {g.rows, g.depth, take_floats(t, g.depth * g.rows), g.rows, take_room(t, g.depth * g.rows)};
    t->kernels->pack(&pack);
    g.a = pack.out;
    g.a_step = 0;
    g.b = take_floats(t, g.depth * g.b_step);
    t->kernels->gemm_dw(&g);
    for (ptrdiff_t i = 0; i < g.depth * g.rows; i++)
        pack.out[i] = 0.0f;
}

static void try_gemm_dx(trial *t) {
    fm_gemm g = draw_gemm(t);
    g.a_step = g.rows * FM_PANEL;
    g.a = take_floats(t, FM_ROUND_UP(g.depth) * g.rows);
    g.b = take_floats(t, g.depth * g.b_step);
    t->kernels->gemm_dx(&g);
}

/* Panels of rows × columns, with +0 in the pads of the last one. */
static float *take_panels(trial *t, ptrdiff_t rows, ptrdiff_t columns) {
    float *panels = take_floats(t, FM_ROUND_UP(columns) * rows);
    for (ptrdiff_t c = columns; c < FM_ROUND_UP(columns); c++)
        for (ptrdiff_t r = 0; r < rows; r++)
            panels[c / FM_PANEL * rows * FM_PANEL + r * FM_PANEL + c % FM_PANEL] = 0.0f;
    return panels;
}

static void try_gemm_dx_few(trial *t) {
    fm_gemm_dx_few g = {.rows = 1 + t->number % 9, .depth = 1 + t->number / 9 % 40, .cols = pick(t, 1, 50)};
    g.grad_panel = g.rows * FM_PANEL;
    g.grad = take_panels(t, g.rows, g.depth);
    g.w_panel = g.cols * FM_PANEL;
    g.w = take_panels(t, g.cols, g.depth);
    g.c_row = FM_ROUND_UP(g.cols) + FM_PANEL * pick(t, 0, 2);
    g.c = take_room(t, g.rows * g.c_row);
    t->kernels->gemm_dx_few(&g);
}

static void try_compress(trial *t) {
    const ptrdiff_t n = t->number % 100;
    const fm_compress c = {
        .n = n, .x = take_floats(t, n), .index = take_integers(t, n), .value = take_room(t, n), .count = take_sizes(t, 1)};
    t->kernels->compress(&c);
    for (ptrdiff_t i = *c.count; i < n; i++) { /* room that the kernel may use as it likes */
        c.index[i] = 0;
        c.value[i] = 0.0f;
    }
}

static void try_spmm(trial *t) {
    fm_spmm s = {.rows = 1 + t->number % 7, .panels = 1 + t->number / 7 % 9, .epilogue = coin(t), .alpha = draw_alpha(t)};
    const int depth = pick(t, 1, 40);
    ptrdiff_t *begin = take_sizes(t, s.rows), *end = take_sizes(t, s.rows), count = 0;
    int32_t *index = take_integers(t, s.rows * depth);
    for (ptrdiff_t r = 0; r < s.rows; r++) {
        begin[r] = count;
        for (int p = 0; p < depth; p++)
            if (draw(t) % 3 == 0)
                index[count++] = p;
        end[r] = count;
    }
    s.begin = begin;
    s.end = end;
    s.index = index;
    s.value = take_floats(t, count);
    s.b_step = FM_PANEL;
    s.b_panel = depth * FM_PANEL;
    s.b = take_floats(t, s.panels * s.b_panel);
    s.c_row = s.panels * FM_PANEL;
    s.c_panel = FM_PANEL;
    s.c = take_room(t, s.rows * s.c_row);
    s.bias = coin(t) ? take_floats(t, s.panels * FM_PANEL) : NULL;
    s.activation = pick(t, 0, FM_ACTIVATION_COUNT - 1);
    s.threshold = draw_alpha(t);
    s.max_value = draw_max_value(t);
    if (s.activation > FM_LAST_OUTPUT_ACTIVATION && s.epilogue && coin(t))
        s.derivative = take_room(t, s.rows * s.panels * FM_PANEL);
    t->kernels->spmm(&s);
}

static void try_transpose(trial *t) {
    fm_transpose a = {.rows = 1 + t->number % 37, .cols = 1 + t->number / 13 % 37, .alpha = draw_alpha(t)};
    a.in_row = draw_stride(t, a.rows);
    a.in = take_floats(t, a.cols * a.in_row);
    a.values_row = draw_stride(t, a.cols);
    a.values = coin(t) ? take_rows(t, FM_ROUND_UP(a.rows), a.cols, a.values_row) : NULL;
    a.out_row = draw_stride(t, a.cols);
    a.out_panel = FM_PANEL;
    a.out = take_room(t, FM_ROUND_UP(a.rows) * a.out_row);
    a.out_t_row = draw_stride(t, a.rows);
    a.out_t = coin(t) ? take_room(t, a.cols * a.out_t_row) : NULL;
    a.activation = pick(t, 0, FM_LAST_OUTPUT_ACTIVATION);
    t->kernels->transpose(&a);
}

static void try_column_sums(trial *t) {
    fm_column_sums s = {.rows = t->number % 50, .cols = (1 + t->number % 11) * FM_PANEL};
    s.in_row = draw_stride(t, s.cols);
    s.in_panel = FM_PANEL;
    s.in = take_floats(t, s.rows * s.in_row);
    s.out = take_room(t, s.cols);
    t->kernels->column_sums(&s);
}

static void try_elementwise(trial *t, void (*kernel)(const fm_elementwise *)) {
    const ptrdiff_t n = t->number % 100;
    fm_elementwise e = {.n = n, .y = take_floats(t, n), .activation = pick(t, 0, FM_ACTIVATION_COUNT - 1), .alpha = draw_alpha(t)};
    e.threshold = draw_alpha(t);
    e.max_value = draw_max_value(t);
    float *x = take_floats(t, n);
    e.x = x;
    e.out = coin(t) ? x : take_room(t, n);
    kernel(&e);
}
static void try_activation(trial *t) { try_elementwise(t, t->kernels->activation); }
static void try_activation_backward(trial *t) { try_elementwise(t, t->kernels->activation_backward); }
static void try_multiply(trial *t) { try_elementwise(t, t->kernels->multiply); }
static void try_add(trial *t) { try_elementwise(t, t->kernels->add); }
static void try_subtract(trial *t) { try_elementwise(t, t->kernels->subtract); }
static void try_maximum(trial *t) { try_elementwise(t, t->kernels->maximum); }
static void try_minimum(trial *t) { try_elementwise(t, t->kernels->minimum); }
static void try_scale(trial *t) { try_elementwise(t, t->kernels->scale); }
static void try_exp(trial *t) { try_elementwise(t, t->kernels->exp); }
static void try_log(trial *t) { try_elementwise(t, t->kernels->log); }
static void try_erf(trial *t) { try_elementwise(t, t->kernels->erf); }

static void try_maximum_backward(trial *t) {
    const ptrdiff_t n = t->number % 100;
    float *grad = take_floats(t, n), *x = take_floats(t, n);
    const fm_maximum_backward m = {n, x, coin(t) ? x : take_floats(t, n), grad, coin(t) ? grad : take_room(t, n)};
    t->kernels->maximum_backward(&m);
}

static void try_from_uint8(trial *t) {
    const ptrdiff_t n = t->number % 100;
    uint8_t *x = take(t, n / 4 + 1);
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = (uint8_t)draw(t);
    const fm_from_uint8 f = {.n = n, .x = x, .out = take_room(t, n)};
    t->kernels->from_uint8(&f);
}

static void try_softmaxes(trial *t, void (*kernel)(const fm_softmax *)) {
    fm_softmax s = {.rows = 1 + t->number % 19, .cols = 1 + t->number % 53};
    s.stride = draw_stride(t, s.cols);
    float *x = take_rows(t, s.rows, s.cols, s.stride), *grad = take_rows(t, s.rows, s.cols, s.stride);
    float *const outputs[] = {take_room(t, s.rows * s.stride), x, grad};
    s.x = x;
    s.grad = grad;
    s.out = outputs[pick(t, 0, 2)];
    kernel(&s);
}
static void try_softmax(trial *t) { try_softmaxes(t, t->kernels->softmax); }
static void try_softmax_backward(trial *t) { try_softmaxes(t, t->kernels->softmax_backward); }
static void try_log_softmax(trial *t) { try_softmaxes(t, t->kernels->log_softmax); }
static void try_log_softmax_backward(trial *t) { try_softmaxes(t, t->kernels->log_softmax_backward); }

static void try_sparsemax(trial *t) { try_softmaxes(t, t->kernels->sparsemax); }
static void try_sparsemax_backward(trial *t) { try_softmaxes(t, t->kernels->sparsemax_backward); }

static fm_glu draw_glu(trial *t) {
    fm_glu g = {.rows = 1 + t->number % 7, .cols = 1 + t->number % 53};
    g.x_row = draw_stride(t, 2 * g.cols);
    g.grad_row = draw_stride(t, g.cols);
    g.x = take_rows(t, g.rows, 2 * g.cols, g.x_row);
    g.grad = take_rows(t, g.rows, g.cols, g.grad_row);
    return g;
}
static void try_glu(trial *t) {
    fm_glu g = draw_glu(t);
    g.out_row = g.grad_row;
    g.out = take_room(t, g.rows * g.out_row);
    t->kernels->glu(&g);
}
static void try_glu_backward(trial *t) {
    fm_glu g = draw_glu(t);
    g.out_row = g.x_row;
    g.out = take_rows(t, g.rows, 2 * g.cols, g.out_row);
    t->kernels->glu_backward(&g);
}

static void try_dropout_mask(trial *t) {
    fm_dropout d = {.rows = 1 + t->number % 5, .cols = 1 + t->number % 139, .first_row = pick(t, 0, 1000), .node = draw(t) % 9};
    d.step = draw(t);
    d.mask_row = draw_stride(t, d.cols);
    d.mask = take_room(t, d.rows * d.mask_row);
    d.rate = 0.1f * (float)pick(t, 0, 9);
    d.keep_scale = 1.0f / (1.0f - d.rate);
    d.key[0] = draw(t);
    d.key[1] = draw(t);
    t->kernels->dropout_mask(&d);
}

/* Rows and whole panels of columns, and floats for them or for each column. */
static ptrdiff_t draw_rows_of_panels(trial *t, ptrdiff_t *cols) {
    *cols = (1 + t->number % 4) * FM_PANEL;
    return 1 + t->number % 23;
}
/* Never negative, as mean squares are; NaN becomes 1. */
static float *take_variances(trial *t, ptrdiff_t n) {
    float *values = take_floats(t, n);
    for (ptrdiff_t i = 0; i < n; i++)
        values[i] = values[i] == values[i] ? fabsf(values[i]) : 1.0f;
    return values;
}
static float draw_epsilon(trial *t) { return coin(t) ? 1e-3f : 0.0f; }

static void try_column_moments(trial *t) {
    fm_column_moments m;
    m.rows = draw_rows_of_panels(t, &m.cols);
    m.x_row = draw_stride(t, m.cols);
    m.x = take_floats(t, m.rows * m.x_row);
    m.mean = take_room(t, m.cols);
    m.variance = take_room(t, m.cols);
    t->kernels->column_moments(&m);
}

static void try_batch_norm(trial *t) {
    fm_batch_norm n = {.kind = pick(t, FM_NORMALIZE_BATCH, FM_NORMALIZE_SCALE), .epsilon = draw_epsilon(t)};
    n.rows = draw_rows_of_panels(t, &n.cols);
    n.x_row = n.out_row = draw_stride(t, n.cols);
    float *x = take_floats(t, n.rows * n.x_row);
    n.x = x;
    n.mean = coin(t) ? take_floats(t, n.cols) : NULL;
    n.variance = take_variances(t, n.cols);
    n.gamma = n.kind == FM_NORMALIZE_SCALE || coin(t) ? take_floats(t, n.cols) : NULL;
    n.beta = coin(t) ? take_floats(t, n.cols) : NULL;
    n.out = coin(t) ? x : take_room(t, n.rows * n.out_row);
    t->kernels->batch_norm(&n);
}

static void try_batch_norm_backward(trial *t) {
    fm_batch_norm_backward n = {.epsilon = draw_epsilon(t)};
    n.rows = draw_rows_of_panels(t, &n.cols);
    n.x_row = n.grad_row = n.out_row = draw_stride(t, n.cols);
    n.x = take_floats(t, n.rows * n.x_row);
    n.grad = take_floats(t, n.rows * n.grad_row);
    n.mean = take_floats(t, n.cols);
    n.variance = take_variances(t, n.cols);
    n.gamma = coin(t) ? take_floats(t, n.cols) : NULL;
    n.out = coin(t) ? take_room(t, n.rows * n.out_row) : NULL;
    n.dgamma = take_room(t, n.cols);
    n.dbeta = take_room(t, n.cols);
    t->kernels->batch_norm_backward(&n);
}

static void try_layer_norm(trial *t) {
    fm_layer_norm n = {.rows = 1 + t->number % 19, .cols = 1 + t->number % 53, .epsilon = draw_epsilon(t), .centered = coin(t)};
    n.x_row = n.out_row = draw_stride(t, n.cols);
    n.x = take_rows(t, n.rows, n.cols, n.x_row);
    n.gamma = coin(t) ? take_rows(t, 1, n.cols, FM_ROUND_UP(n.cols)) : NULL;
    n.beta = coin(t) ? take_rows(t, 1, n.cols, FM_ROUND_UP(n.cols)) : NULL;
    n.out = take_room(t, n.rows * n.out_row);
    if (coin(t)) {
        n.mean = take_room(t, n.rows);
        n.scale = take_room(t, n.rows);
    }
    t->kernels->layer_norm(&n);
}

static void try_layer_norm_backward(trial *t) {
    fm_layer_norm_backward n = {.rows = 1 + t->number % 19, .cols = 1 + t->number % 53, .centered = coin(t)};
    n.x_row = n.grad_row = n.out_row = draw_stride(t, n.cols);
    n.x = take_rows(t, n.rows, n.cols, n.x_row);
    n.grad = take_rows(t, n.rows, n.cols, n.grad_row);
    n.gamma = coin(t) ? take_rows(t, 1, n.cols, FM_ROUND_UP(n.cols)) : NULL;
    n.mean = take_floats(t, n.rows);
    n.scale = take_floats(t, n.rows);
    n.out = take_room(t, n.rows * n.out_row);
    t->kernels->layer_norm_backward(&n);
}

static void try_layer_norm_parameter_gradients(trial *t) {
    fm_layer_norm_parameter_gradients n;
    n.rows = draw_rows_of_panels(t, &n.cols);
    n.x_row = n.grad_row = draw_stride(t, n.cols);
    n.x = take_floats(t, n.rows * n.x_row);
    n.grad = take_floats(t, n.rows * n.grad_row);
    n.mean = take_floats(t, n.rows);
    n.scale = take_floats(t, n.rows);
    n.dgamma = take_room(t, n.cols);
    n.dbeta = take_room(t, n.cols);
    t->kernels->layer_norm_parameter_gradients(&n);
}

static fm_prelu draw_prelu(trial *t) {
    fm_prelu p = {.rows = 0};
    p.rows = draw_rows_of_panels(t, &p.cols);
    p.x_row = p.grad_row = p.out_row = draw_stride(t, p.cols);
    p.x = take_floats(t, p.rows * p.x_row);
    p.alpha = take_floats(t, p.cols);
    p.out = take_room(t, p.rows * p.out_row);
    return p;
}
static void try_prelu(trial *t) {
    const fm_prelu p = draw_prelu(t);
    t->kernels->prelu(&p);
}
static void try_prelu_backward(trial *t) {
    fm_prelu p = draw_prelu(t);
    p.grad = take_floats(t, p.rows * p.grad_row);
    p.dalpha = take_room(t, p.cols);
    p.out = coin(t) ? p.out : NULL;
    t->kernels->prelu_backward(&p);
}

static fm_periodic draw_periodic(trial *t) {
    fm_periodic p = {.rows = 1 + t->number % 7, .inputs = 1 + t->number % 3, .frequencies = 1 + t->number % 37};
    const ptrdiff_t columns = 2 * p.inputs * p.frequencies, panels = (p.frequencies + FM_PANEL - 1) / FM_PANEL;
    p.x_row = p.dx_row = draw_stride(t, p.inputs);
    p.out_row = p.grad_row = draw_stride(t, columns);
    p.panel = p.inputs * FM_PANEL;
    p.x = take_floats(t, p.rows * p.x_row);
    p.c = take_floats(t, panels * p.panel);
    p.out = take_floats(t, p.rows * p.out_row);
    return p;
}
static void try_periodic(trial *t) {
    const fm_periodic p = draw_periodic(t);
    t->kernels->periodic(&p);
}
static void try_periodic_backward(trial *t) {
    fm_periodic p = draw_periodic(t);
    p.grad = take_floats(t, p.rows * p.grad_row);
    p.dc = take_room(t, (p.frequencies + FM_PANEL - 1) / FM_PANEL * p.panel);
    p.dx = coin(t) ? take_room(t, p.rows * p.dx_row) : NULL;
    t->kernels->periodic_backward(&p);
}

static void try_gaussian_noise(trial *t) {
    fm_gaussian_noise n = {.rows = 1 + t->number % 5, .cols = 1 + t->number % 139, .first_row = pick(t, 0, 1000), .node = draw(t) % 9};
    n.step = draw(t);
    n.x_row = n.out_row = draw_stride(t, n.cols);
    n.x = coin(t) ? take_floats(t, n.rows * n.x_row) : NULL;
    n.out = take_room(t, n.rows * n.out_row);
    n.mean = 1.0f;
    n.stddev = 0.1f * (float)pick(t, 0, 9);
    n.key[0] = draw(t);
    n.key[1] = draw(t);
    t->kernels->gaussian_noise(&n);
}

static void try_alpha_dropout(trial *t) {
    const ptrdiff_t n = t->number % 9 * FM_PANEL;
    float *mask = take_floats(t, n);
    for (ptrdiff_t i = 0; i < n; i++)
        mask[i] = coin(t) ? 1.25f : 0.0f;
    const fm_alpha_dropout a = {n, take_floats(t, n), mask, take_room(t, n), 0.75f, -1.5f};
    t->kernels->alpha_dropout(&a);
}

/* How many chains there are, and how wide, is the ISA's own; what each of them holds is not. Records whether all is as it should be. */
static void try_peak(trial *t) {
    float out[FM_PEAK_MAX];
    ptrdiff_t count;
    const fm_peak k = {.iterations = t->number % 20, .factor = 0.999f, .term = 0.01f * uniform(t), .out = out, .count = &count};
    t->kernels->peak(&k);
    const ptrdiff_t numbers = k.iterations ? count / k.iterations : 0;
    ptrdiff_t width = 0, wrong = k.iterations * numbers != count || numbers > FM_PEAK_MAX;
    while (width < numbers && out[width] == out[0])
        width++;
    for (ptrdiff_t i = 0; i < numbers && !wrong; i++) {
        float chain = (float)(i / width);
        for (ptrdiff_t n = 0; n < k.iterations; n++)
            chain = fmaf(chain, k.factor, k.term);
        wrong += out[i] != chain;
    }
    *take_sizes(t, 1) = wrong;
}

/* A row of targets: one category, several in part, or (for the columnwise losses) anything. */
static void draw_targets(trial *t, float *y, ptrdiff_t cols) {
    const int kind = pick(t, 0, 2);
    for (ptrdiff_t c = 0; c < cols && kind < 2; c++)
        y[c] = kind ? (float)pick(t, 0, 8) / 8.0f : 0.0f;
    if (kind == 0)
        y[pick(t, 0, (int)cols - 1)] = 1.0f;
}

static void try_loss(trial *t, void (*kernel)(const fm_loss *)) {
    fm_loss a = {.rows = 1 + t->number % 41, .cols = 1 + t->number % 37, .scale = 1.0f / (float)pick(t, 1, 64), .threshold = 0.5f};
    a.parameter[0] = 0.25f * (float)pick(t, 1, 12);
    a.parameter[1] = 0.25f;
    a.parameter[2] = 0.75f;
    a.x_row = draw_stride(t, a.cols);
    a.y_row = draw_stride(t, a.cols);
    a.grad_row = draw_stride(t, a.cols);
    a.probs_row = draw_stride(t, a.cols);
    float *x = take_rows(t, a.rows, a.cols, a.x_row), *y = take_rows(t, a.rows, a.cols, a.y_row);
    int32_t *labels = take_integers(t, a.rows);
    const int probabilities = coin(t);
    for (ptrdiff_t r = 0; r < a.rows; r++) {
        for (ptrdiff_t c = 0; c < a.cols && probabilities; c++)
            x[r * a.x_row + c] = fminf(fabsf(x[r * a.x_row + c]), 1.0f); /* NaN becomes 1 */
        draw_targets(t, y + r * a.y_row, a.cols);
        labels[r] = pick(t, 0, (int)a.cols - 1);
    }
    a.x = x;
    a.y = y;
    a.labels = labels;
    a.weight = coin(t) ? take_floats(t, a.rows) : NULL;
    a.loss = take_room(t, a.rows);
    a.probs = coin(t) ? take_room(t, a.rows * a.probs_row) : NULL;
    a.hit = coin(t) ? take_room(t, a.rows) : NULL;
    a.room = take_room(t, 3 * FM_ROUND_UP(a.rows));
    switch (pick(t, 0, 2)) {
    case 0:
        a.grad = take_room(t, a.rows * a.grad_row);
        break;
    case 1:
        if (kernel == t->kernels->loss_sparse_circle)
            break; /* reads x until all of the gradient is known */
        a.grad = x;
        a.grad_row = a.x_row;
        break;
    }
    kernel(&a);
}

static void try_smooth(trial *t) {
    fm_smooth s = {.rows = 1 + t->number % 41, .cols = 1 + t->number % 37, .keep = 0.875f, .share = 0.125f};
    int32_t *labels = take_integers(t, s.rows);
    for (ptrdiff_t r = 0; r < s.rows; r++)
        labels[r] = pick(t, 0, (int)s.cols - 1);
    s.y_row = draw_stride(t, s.cols);
    s.out_row = s.y_row;
    float *y = take_rows(t, s.rows, s.cols, s.y_row);
    s.out = coin(t) ? y : take_room(t, s.rows * s.out_row);
    if (coin(t))
        s.labels = labels;
    else
        s.y = y;
    t->kernels->smooth(&s);
}

/* Every row or every other row of a panel, at random; NULL for all from the first. */
static const int32_t *draw_rows(trial *t, ptrdiff_t rows) {
    if (coin(t))
        return NULL;
    int32_t *index = take_integers(t, rows);
    for (ptrdiff_t i = 0; i < rows; i++)
        index[i] = (int32_t)(2 * i + coin(t));
    return index;
}

static void draw_constants(trial *t, fm_update *u) {
    u->nesterov = coin(t);
    u->learning_rate = 0.01f * (float)pick(t, 1, 100);
    u->momentum = coin(t) ? 0.9f : 0.0f;
    u->rho = u->beta_1 = 0.9f;
    u->one_minus_rho = 0.1f;
    u->one_minus_beta_1 = 0.1f;
    u->beta_2 = 0.999f;
    u->one_minus_beta_2 = 0.001f;
    u->epsilon = 1e-7f;
    u->ahead = 0.02f;
    u->correction = 3.0f;
    u->average = 0.25f;
    u->l1 = 0.01f;
    u->l2 = coin(t) ? 0.02f : 0.0f;
    u->shrinkage = 0.03f;
    u->power = coin(t) ? 0.5f : 0.7f;
}

static void try_update(trial *t, int slots, void (*kernel)(const fm_update *)) {
    ptrdiff_t n = t->number % 100, room = n;
    fm_update u = {.index = draw_rows(t, n / FM_PANEL)};
    if (u.index) {
        n = n / FM_PANEL * FM_PANEL;
        room = 2 * n;
    }
    u.n = n;
    u.w = take_floats(t, room);
    u.g = take_floats(t, n);
    for (int s = 0; s < slots; s++)
        u.slot[s] = take_floats(t, room);
    draw_constants(t, &u);
    u.centered = coin(t);
    u.amsgrad = coin(t);
    kernel(&u);
}

static void try_adjust(trial *t) {
    const ptrdiff_t n = t->number % 100;
    fm_adjust a = {.n = n, .w = take_floats(t, n), .g = take_floats(t, n)};
    a.l1 = coin(t) ? 0.01f : 0.0f;
    a.l2 = coin(t) ? 0.02f : 0.0f;
    a.scale = coin(t) ? 0.3f : 1.0f;
    a.clip = coin(t) ? 0.5f : as_float(0x7F800000);
    a.decay = coin(t) ? 0.001f : 0.0f;
    t->kernels->adjust(&a);
}

static void try_combine(trial *t) {
    const ptrdiff_t n = t->number % 100;
    fm_combine c = {.n = n, .x = take_floats(t, n), .y = take_floats(t, n), .a = 0.9f, .b = 0.1f};
    c.out = take_room(t, n);
    t->kernels->combine(&c);
}

static void try_column_norms(trial *t) {
    fm_norms s = {.rows = t->number % 40, .cols = pick(t, 1, 70)};
    s.x_panel = (s.rows + 2) * FM_PANEL;
    s.x = take_floats(t, FM_ROUND_UP(s.cols) / FM_PANEL * s.x_panel);
    s.absolute = coin(t) ? take_room(t, FM_ROUND_UP(s.cols)) : NULL;
    s.square = coin(t) ? take_room(t, FM_ROUND_UP(s.cols)) : NULL;
    t->kernels->column_norms(&s);
}

static void try_row_norms(trial *t) {
    fm_norms s = {.rows = t->number % 40, .cols = pick(t, 1, 70)};
    s.x_panel = (s.rows + 2) * FM_PANEL;
    s.x = take_floats(t, FM_ROUND_UP(s.cols) / FM_PANEL * s.x_panel);
    s.square = take_room(t, s.rows);
    t->kernels->row_norms(&s);
}

static void try_rescale(trial *t) {
    fm_rescale s = {.rows = t->number % 40, .cols = pick(t, 1, 70)};
    s.x_panel = (s.rows + 2) * FM_PANEL;
    s.x = take_floats(t, FM_ROUND_UP(s.cols) / FM_PANEL * s.x_panel);
    s.column = coin(t) ? take_floats(t, FM_ROUND_UP(s.cols)) : NULL;
    s.row = take_floats(t, s.rows);
    t->kernels->rescale(&s);
}

static fm_activity draw_activity(trial *t) {
    fm_activity a = {.rows = t->number % 40, .cols = pick(t, 1, 70), .l1 = uniform(t), .l2 = uniform(t)};
    a.row = FM_ROUND_UP(a.cols) + FM_PANEL * coin(t);
    a.x = take_floats(t, a.rows * a.row);
    return a;
}

static void try_activity(trial *t) {
    fm_activity a = draw_activity(t);
    a.loss = take_floats(t, a.rows);
    t->kernels->activity(&a);
}

static void try_activity_backward(trial *t) {
    fm_activity a = draw_activity(t);
    a.grad = take_floats(t, a.rows * a.row);
    a.out = take_room(t, a.rows * a.row);
    t->kernels->activity_backward(&a);
}

/* Small steps and long ones, so that some rows come to rest long before others. */
static void try_replay(trial *t, int slots, void (*kernel)(const fm_replay *)) {
    fm_replay r = {.rows = t->number % 4, .panels = 1 + t->number / 4 % 6, .steps = pick(t, 1, 400)};
    r.panel = 2 * r.rows * FM_PANEL;
    r.update.index = draw_rows(t, r.rows);
    r.update.w = take_floats(t, r.panels * r.panel);
    for (int s = 0; s < slots; s++)
        r.update.slot[s] = take_floats(t, r.panels * r.panel);
    draw_constants(t, &r.update);
    float *rates = take_room(t, r.steps);
    for (ptrdiff_t s = 0; s < r.steps; s++) {
        rates[s] = 0.001f * (float)pick(t, 0, 20);
        r.max_learning_rate = fmaxf(r.max_learning_rate, rates[s]);
    }
    r.learning_rate = rates;
    uint32_t *done = take(t, 2 * r.rows);
    for (ptrdiff_t i = 0; i < 2 * r.rows; i++)
        done[i] = (uint32_t)pick(t, 0, (int)r.steps);
    r.done = done;
    if (coin(t)) {
        r.series = (const float (*)[FM_SERIES])take_floats(t, r.steps * FM_SERIES);
        r.decay = (const float (*)[2])take_floats(t, (r.steps + 1) * 2);
    }
    kernel(&r);
}

/* -- all kernels, from the manifest: one without a trial does not compile ---------------------------------------------------------- */

#define FM_LOSS(name)                                                                                                                      \
    static void try_loss_##name(trial *t) { try_loss(t, t->kernels->loss_##name); }
#define FM_OPTIMIZER(name, ...)                                                                                                            \
    static void try_update_##name(trial *t) {                                                                                              \
        const char *const slots[] = {__VA_ARGS__};                                                                                         \
        try_update(t, (int)(sizeof slots / sizeof *slots), t->kernels->update_##name);                                                     \
    }
#define FM_REPLAY(name, slots)                                                                                                             \
    static void try_replay_##name(trial *t) { try_replay(t, slots, t->kernels->replay_##name); }
#include "kernels/kernels.def"

static const struct {
    const char *name;
    void (*run)(trial *);
} CHECKS[] = {
#define FM_LOSS(name) {"loss_" #name, try_loss_##name},
#define FM_OPTIMIZER(name, ...) {"update_" #name, try_update_##name},
#define FM_REPLAY(name, slots) {"replay_" #name, try_replay_##name},
#define FM_KERNEL(name, arguments) {#name, try_##name},
#include "kernels/kernels.def"
};
#define CHECK_COUNT (sizeof CHECKS / sizeof *CHECKS)

extern const fm_kernels fm_kernels_wide;

/* Runs one trial in a fresh memory, in the engine's floating-point mode, and makes all NaNs the same. */
static size_t run_trial(const fm_kernels *kernels, size_t check, int number, uint32_t *memory) {
    trial t = {.kernels = kernels, .number = number, .state = check << 32 | (unsigned)number, .memory = memory};
    t.flavour = pick(&t, 0, FLAVOURS - 1);
    t.rarity = 1 << pick(&t, 2, 7);
    const fm_fpmode before = fm_fpmode_enter();
    CHECKS[check].run(&t);
    fm_fpmode_leave(before);
    for (size_t i = 0; i < t.used; i++)
        if ((memory[i] & 0x7FFFFFFF) > 0x7F800000)
            memory[i] = 0x7FC00000;
    return t.used;
}

/* Reports the first word that differs. */
static void report(const fm_kernels *kernels, size_t check, int number, const uint32_t *memory, const uint32_t *expected, size_t words) {
    size_t i = 0;
    while (i < words && memory[i] == expected[i])
        i++;
    printf("%s %s: trial %d, word %zu: %08x (%.9g), portable %08x (%.9g)\n", kernels->name, CHECKS[check].name, number, i, memory[i],
           (double)as_float(memory[i]), expected[i], (double)as_float(expected[i]));
}

/* All trials of a kernel: wrong[i] becomes 1 for each table that differs from the portable one. Prints the digest, FNV-1a. */
static void run_trials(size_t check, const fm_kernels *const *tables, int count, int *wrong) {
    static uint32_t expected[TRIAL_WORDS], memory[TRIAL_WORDS];
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (int number = 0; number < TRIALS; number++) {
        const size_t words = run_trial(fm_kernels_at(0), check, number, expected);
        for (size_t i = 0; i < words; i++)
            hash = (hash ^ expected[i]) * UINT64_C(0x100000001B3);
        for (int i = 0; i < count; i++)
            if (!wrong[i] &&
                (run_trial(tables[i], check, number, memory) != words || memcmp(memory, expected, words * sizeof *memory) != 0)) {
                report(tables[i], check, number, memory, expected, words);
                wrong[i] = 1;
            }
    }
    printf("digest %s %016llx\n", CHECKS[check].name, (unsigned long long)hash);
}

#define MAX_TABLES 8

int main(void) {
    const fm_kernels *tables[MAX_TABLES] = {NULL};
    int count = 0, failures[MAX_TABLES] = {0}, failed = 0;
    for (int i = 1; fm_kernels_at(i); i++)
        if (fm_kernels_supported(fm_kernels_at(i)))
            tables[count++] = fm_kernels_at(i);
    tables[count++] = &fm_kernels_wide;
    for (size_t check = 0; check < CHECK_COUNT; check++) {
        int wrong[MAX_TABLES] = {0};
        run_trials(check, tables, count, wrong);
        for (int i = 0; i < count; i++)
            failures[i] += wrong[i];
    }
    for (int i = 0; i < count; i++) {
        printf("%s: %d of %zu kernels agree with portable\n", tables[i]->name, (int)CHECK_COUNT - failures[i], CHECK_COUNT);
        failed += failures[i];
    }
    printf("%d passed, %d failed\n", (int)CHECK_COUNT * count - failed, failed);
    return failed != 0;
}

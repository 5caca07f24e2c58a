/* GEMM micro-kernels of MR rows × NR columns (FM_NR_PANELS panels of 16), and the transposes between them.
 *
 * A micro-kernel is always_inline with constant sizes, so that its accumulators stay in registers. Rows that do not fill MR go through
 * smaller ones of equal size (8 rows are 4 + 4, not 6 + 2), because with few accumulators a micro-kernel waits for its own additions.
 */

#include <string.h>

/* One row or two take more panels at once: additions that wait for each other need about eight sums on their way. */
#define FM_ROW_PANELS (FM_VECTORS == 1 ? 8 : 4)
#define FM_TWO_ROW_PANELS (FM_VECTORS == 1 ? 4 : 2)
#define FM_MAX_NR_PANELS FM_ROW_PANELS
#define FM_ACCUMULATORS (FM_MR * FM_NR_PANELS > FM_MAX_NR_PANELS ? FM_MR * FM_NR_PANELS * FM_VECTORS : FM_MAX_NR_PANELS * FM_VECTORS)
#define FM_MR_CASES_2 FM_MR_CASE(1) FM_MR_CASE(2)
#define FM_MR_CASES_6 FM_MR_CASES_2 FM_MR_CASE(3) FM_MR_CASE(4) FM_MR_CASE(5) FM_MR_CASE(6)
#if FM_MR == 2
#define FM_MR_CASES FM_MR_CASES_2
#elif FM_MR == 6
#define FM_MR_CASES FM_MR_CASES_6
#elif FM_MR == 12
#define FM_MR_CASES FM_MR_CASES_6 FM_MR_CASE(7) FM_MR_CASE(8) FM_MR_CASE(9) FM_MR_CASE(10) FM_MR_CASE(11) FM_MR_CASE(12)
#else
#error "write FM_MR_CASES for this FM_MR"
#endif

/* Terms between two branches: so many that a branch costs little, and large micro-kernels do not fill the instruction cache. */
enum { FM_UNROLL = FM_MR == 12 ? 2 : 4 };

/* sums[i][j] += Σ_p a(i, p)·b(p, j) over p < depth, the scalar operand at a + i·a_row + p·a_step. */
FM_SPECIALIZED void fm_micro_kernel(const int rows, const int panels, ptrdiff_t depth, const float *a, ptrdiff_t a_row, ptrdiff_t a_step,
                                    const float *b, ptrdiff_t b_step, ptrdiff_t b_panel, vf *sums) {
    const int columns = panels * FM_VECTORS;
#pragma GCC unroll FM_UNROLL
    for (ptrdiff_t p = 0; p < depth; p++, a += a_step, b += b_step) {
        vf terms[FM_MAX_NR_PANELS * FM_VECTORS];
#pragma GCC unroll 16
        for (int j = 0; j < columns; j++)
            terms[j] = v_load(b + (j / FM_VECTORS) * b_panel + (j % FM_VECTORS) * V_LANES);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            const vf scalar = v_set1(a[i * a_row]);
#pragma GCC unroll 16
            for (int j = 0; j < columns; j++)
                sums[i * columns + j] = v_fma(scalar, terms[j], sums[i * columns + j]);
        }
    }
}

/* The output of a micro-kernel and its epilogue. */
typedef struct fm_output {
    float *c;
    ptrdiff_t row, panel;
    const float *bias;
    int activation;
    float alpha, threshold, max_value;
    float *derivative;
} fm_output;
#define FM_OUTPUT(g)                                                                                                                       \
    ((fm_output){(g)->c, (g)->c_row, (g)->c_panel, (g)->bias, (g)->activation, (g)->alpha, (g)->threshold, (g)->max_value, (g)->derivative})

FM_SPECIALIZED float *fm_output_at(const fm_output *out, ptrdiff_t row, ptrdiff_t panel, int j) {
    return out->c + (panel + j / FM_VECTORS) * out->panel + row * out->row + (j % FM_VECTORS) * V_LANES;
}

FM_SPECIALIZED void fm_accumulators_begin(const int rows, const int panels, const fm_output *out, int accumulate, ptrdiff_t row,
                                          ptrdiff_t panel, vf *sums) {
    const int columns = panels * FM_VECTORS;
#pragma GCC unroll 32
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
        for (int j = 0; j < columns; j++)
            sums[i * columns + j] = accumulate ? v_load(fm_output_at(out, row + i, panel, j)) : v_set1(0.0f);
}

/* The epilogue of all activations but relu and linear: applied to the elements just stored, still in L1. One copy for all micro-kernels. */
static FM_ONE_COPY void fm_epilogue_activation(const fm_output *out, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t panel, ptrdiff_t panels) {
    const vf alpha = v_set1(out->alpha);
    switch (out->activation) {
#define FM_ACTIVATION(name)                                                                                                                \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (ptrdiff_t j = panel; j < panel + panels; j++)                                                                                 \
            for (ptrdiff_t i = row; i < row + rows; i++) {                                                                                 \
                float *c = fm_output_at(out, i, j, 0);                                                                                     \
                for (int v = 0; v < FM_VECTORS; v++)                                                                                       \
                    v_store(c + v * V_LANES, fm_##name(v_load(c + v * V_LANES), alpha));                                                   \
            }                                                                                                                              \
        break;
#include "../kernels.def"
    }
}

/* The same for those whose derivative needs their input, which is computed here as well, while the input is at hand: both share most of the
 * work. */
static FM_ONE_COPY void fm_epilogue_input_activation(const fm_output *out, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t panel,
                                                     ptrdiff_t panels) {
    const fm_constants constants = {v_set1(out->alpha), v_set1(out->threshold), v_set1(out->max_value)};
    const ptrdiff_t derivative = out->derivative ? out->derivative - out->c : 0;
    switch (out->activation) {
#define FM_INPUT_ACTIVATION(name)                                                                                                          \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (ptrdiff_t j = panel; j < panel + panels; j++)                                                                                 \
            for (ptrdiff_t i = row; i < row + rows; i++) {                                                                                 \
                float *c = fm_output_at(out, i, j, 0);                                                                                     \
                for (int v = 0; v < FM_VECTORS; v++, c += V_LANES) {                                                                       \
                    const vf z = v_load(c);                                                                                                \
                    v_store(c, fm_##name(z, constants));                                                                                   \
                    if (derivative)                                                                                                        \
                        v_store(c + derivative, fm_##name##_derivative(z, constants));                                                     \
                }                                                                                                                          \
            }                                                                                                                              \
        break;
#include "../kernels.def"
    }
}

/* The epilogue: bias, activation and stores. Adding the bias, or +0 without one, also turns −0, the result of underflow, into +0. */
FM_SPECIALIZED void fm_epilogue(const int rows, const int panels, const fm_output *out, int epilogue, ptrdiff_t row, ptrdiff_t panel,
                                vf *sums) {
    const int columns = panels * FM_VECTORS;
#pragma GCC unroll 16
    for (int j = 0; j < columns; j++) {
        const vf bias = epilogue && out->bias ? v_load(out->bias + panel * FM_PANEL + j * V_LANES) : v_set1(0.0f);
#pragma GCC unroll 32
        for (int i = 0; i < rows; i++)
            sums[i * columns + j] = v_add(sums[i * columns + j], bias);
    }
    if (epilogue && out->activation == FM_ACTIVATION_relu)
#pragma GCC unroll 64
        for (int j = 0; j < rows * columns; j++)
            sums[j] = fm_relu(sums[j], v_set1(out->alpha));
#pragma GCC unroll 32
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
        for (int j = 0; j < columns; j++)
            v_store(fm_output_at(out, row + i, panel, j), sums[i * columns + j]);
    if (!epilogue || out->activation == FM_ACTIVATION_relu || out->activation == FM_ACTIVATION_linear)
        return;
    if (out->activation < FM_OUTPUT_ACTIVATION_COUNT)
        fm_epilogue_activation(out, row, rows, panel, panels);
    else
        fm_epilogue_input_activation(out, row, rows, panel, panels);
}

/* Prefetches lines that are read soon, or written: those that another core has read must be taken from it first. */
FM_SPECIALIZED void fm_prefetch_rows(const int rows, const int panels, const float *first, ptrdiff_t row, ptrdiff_t panel,
                                     const int write) {
#pragma GCC unroll 32
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < panels; j++)
            __builtin_prefetch(first + i * row + j * panel, write);
}
#define FM_PREFETCH_DEPTH 64 /* shorter sums are finished before the lines arrive */

/* The three products differ in how they traverse their operands, and only the forward one has an epilogue. */
enum { FM_GEMM_FORWARD, FM_GEMM_DW, FM_GEMM_DX };

FM_SPECIALIZED void fm_gemm_micro(const int product, const int rows, const int panels, const fm_gemm *g, ptrdiff_t row, ptrdiff_t panel) {
    const fm_output out = FM_OUTPUT(g);
    vf sums[FM_ACCUMULATORS];
    fm_accumulators_begin(rows, panels, &out, g->accumulate, row, panel, sums);
    const float *b = g->b + panel * g->b_panel;
    if (product == FM_GEMM_FORWARD) {
        if (g->depth >= FM_PREFETCH_DEPTH && row + 2 * rows <= g->rows)
            fm_prefetch_rows(rows, panels, fm_output_at(&out, row + rows, panel, 0), g->c_row, g->c_panel, 1);
        const float *a = g->a + row * g->a_row;
        ptrdiff_t depth = g->depth;
        if (rows == FM_MR && panels == FM_NR_PANELS && g->streams && panel == 0 && row + 2 * rows <= g->rows)
            for (; depth >= FM_PANEL; depth -= FM_PANEL, a += FM_PANEL, b += FM_PANEL * FM_PANEL) {
                fm_prefetch_rows(rows, 1, a + rows * g->a_row, g->a_row, 0, 0);
                fm_micro_kernel(rows, panels, FM_PANEL, a, g->a_row, 1, b, FM_PANEL, g->b_panel, sums);
            }
        fm_micro_kernel(rows, panels, depth, a, g->a_row, 1, b, FM_PANEL, g->b_panel, sums);
    } else if (product == FM_GEMM_DW) {
        if (g->updated)
            fm_prefetch_rows(rows, panels, g->updated + panel * g->updated_panel + row * FM_PANEL, FM_PANEL, g->updated_panel, 1);
        if (g->a_step == 0)
            fm_micro_kernel(rows, panels, g->depth, g->a + row * g->depth, 1, rows, b, g->b_step, g->b_panel, sums);
        else
            fm_micro_kernel(rows, panels, g->depth, g->a + row, 1, g->a_step, b, g->b_step, g->b_panel, sums);
    } else {
        const float *a = g->a + row * FM_PANEL;
        ptrdiff_t depth = g->depth;
        for (; depth >= FM_PANEL; depth -= FM_PANEL, a += g->a_step, b += FM_PANEL * g->b_step) {
            if (depth >= FM_PREFETCH_DEPTH) /* the next panel of weights is far away in memory */
                fm_prefetch_rows(rows, 1, a + g->a_step, FM_PANEL, 0, 0);
            fm_micro_kernel(rows, panels, FM_PANEL, a, FM_PANEL, 1, b, g->b_step, g->b_panel, sums);
        }
        fm_micro_kernel(rows, panels, depth, a, FM_PANEL, 1, b, g->b_step, g->b_panel, sums);
    }
    fm_epilogue(rows, panels, &out, product == FM_GEMM_FORWARD && g->epilogue, row, panel, sums);
}

/* MR of the next micro-kernel if `left` rows are left. */
FM_SPECIALIZED ptrdiff_t fm_next_mr(ptrdiff_t left) { return left >= 2 * FM_MR ? FM_MR : left > FM_MR ? (left + 1) / 2 : left; }

#define FM_FETCHED_FLOATS (1536 << 10) /* weights that are in no L2: the next panels are prefetched into it */

/* All rows of NR columns, so that the panels stay in L1 while the rows pass over them. */
FM_SPECIALIZED void fm_gemm_panels(const int product, const int panels, const fm_gemm *g, ptrdiff_t panel) {
    const int fetches =
        product == FM_GEMM_FORWARD && g->panels * g->b_panel > FM_FETCHED_FLOATS && g->rows >= 4 * FM_MR && panel + 2 * panels <= g->panels;
    const ptrdiff_t share = fetches ? g->depth * FM_MR / (g->rows - FM_MR) + 1 : 0; /* of the next panels, for each micro-kernel */
    ptrdiff_t fetched = 0;
    for (ptrdiff_t row = 0; row < g->rows;) {
        const ptrdiff_t rows = fm_next_mr(g->rows - row);
        if (fetches && fetched < g->depth) {
            const ptrdiff_t left = g->depth - fetched;
            for (ptrdiff_t p = fetched; p < fetched + (left < share ? left : share); p++)
                for (int j = 0; j < panels; j++)
                    __builtin_prefetch(g->b + (panel + panels + j) * g->b_panel + p * FM_PANEL, 0, 2);
            fetched += share;
        }
#define FM_MR_CASE(n)                                                                                                                      \
    case n:                                                                                                                                \
        fm_gemm_micro(product, n, panels, g, row, panel);                                                                                  \
        break;
        switch (rows) { FM_MR_CASES }
        row += rows;
    }
}

FM_SPECIALIZED void fm_gemm_all(const int product, const fm_gemm *g) {
    ptrdiff_t panel = 0;
    if (product != FM_GEMM_DX && g->rows == 1) {
        for (; panel + FM_ROW_PANELS <= g->panels; panel += FM_ROW_PANELS)
            fm_gemm_micro(product, 1, FM_ROW_PANELS, g, 0, panel);
        if (FM_ROW_PANELS > 4 && panel + 4 <= g->panels) {
            fm_gemm_micro(product, 1, 4, g, 0, panel);
            panel += 4;
        }
    } else if (product != FM_GEMM_DX && g->rows == 2 && FM_TWO_ROW_PANELS > FM_NR_PANELS) {
        for (; panel + FM_TWO_ROW_PANELS <= g->panels; panel += FM_TWO_ROW_PANELS)
            fm_gemm_micro(product, 2, FM_TWO_ROW_PANELS, g, 0, panel);
    }
    for (; panel + FM_NR_PANELS <= g->panels; panel += FM_NR_PANELS)
        fm_gemm_panels(product, FM_NR_PANELS, g, panel);
    if (FM_NR_PANELS > 1)
        for (; panel < g->panels; panel++)
            fm_gemm_panels(product, 1, g, panel);
}

void FM_FUNCTION(gemm_forward)(const fm_gemm *g) { fm_gemm_all(FM_GEMM_FORWARD, g); }
void FM_FUNCTION(gemm_dw)(const fm_gemm *g) { fm_gemm_all(FM_GEMM_DW, g); }
void FM_FUNCTION(gemm_dx)(const fm_gemm *g) { fm_gemm_all(FM_GEMM_DX, g); }

/* Sums stay in L1 between the panels, so that those of many columns, which do not wait for each other, are on their way at once. */
void FM_FUNCTION(gemm_dx_few)(const fm_gemm_dx_few *g) {
    for (ptrdiff_t p = 0; p < g->depth; p += V_LANES) {
        const float *w = g->w + p / FM_PANEL * g->w_panel + p % FM_PANEL;
        const float *grad = g->grad + p / FM_PANEL * g->grad_panel + p % FM_PANEL;
        for (ptrdiff_t j = 0; j < FM_ROUND_UP(g->cols); j += V_LANES) {
            vf terms[V_LANES];
            for (int i = 0; i < V_LANES; i++)
                terms[i] = j + i < g->cols ? v_load(w + (j + i) * FM_PANEL) : v_set1(0.0f);
            v_transpose(terms);
            for (ptrdiff_t i = 0; i < g->rows; i++) {
                vf sum = p ? v_load(g->c + i * g->c_row + j) : v_set1(0.0f);
#pragma GCC unroll 16
                for (int l = 0; l < V_LANES; l++)
                    sum = v_fma(v_set1(grad[i * FM_PANEL + l]), terms[l], sum);
                v_store(g->c + i * g->c_row + j, v_add(sum, v_set1(0.0f)));
            }
        }
    }
}

void FM_FUNCTION(pack)(const fm_pack *k) {
    float *out = k->out;
    for (ptrdiff_t row = 0, rows; row < k->rows; row += rows) {
        rows = fm_next_mr(k->rows - row);
        for (ptrdiff_t p = 0; p < k->depth; p++, out += rows) {
            const float *in = k->in + row + p * k->in_step;
            if (rows == FM_MR)
                memcpy(out, in, FM_MR * sizeof *out);
            else
                for (ptrdiff_t i = 0; i < rows; i++)
                    out[i] = in[i];
        }
    }
}

void FM_FUNCTION(transpose)(const fm_transpose *t) {
    for (ptrdiff_t c = 0; c < FM_ROUND_UP(t->cols); c += V_LANES)
        for (ptrdiff_t r = 0; r < FM_ROUND_UP(t->rows); r += V_LANES) {
            vf block[V_LANES];
            for (int i = 0; i < V_LANES; i++)
                block[i] = c + i < t->cols ? v_load(t->in + (c + i) * t->in_row + r) : v_set1(0.0f);
            v_transpose(block);
            if (t->values) {
                vf values[V_LANES];
                for (int i = 0; i < V_LANES; i++)
                    values[i] = v_load(t->values + (r + i) * t->values_row + c);
                if (t->activation == FM_SAVED_DERIVATIVE)
                    for (int i = 0; i < V_LANES; i++)
                        block[i] = v_mul(block[i], values[i]);
                else
                    fm_activation_backward_block(t->activation, t->alpha, block, values, V_LANES);
            }
            for (int i = 0; i < V_LANES; i++)
                v_store(t->out + c / FM_PANEL * t->out_panel + (r + i) * t->out_row + c % FM_PANEL, block[i]);
            if (t->out_t) {
                v_transpose(block);
                for (int i = 0; i < V_LANES && c + i < t->cols; i++)
                    v_store(t->out_t + (c + i) * t->out_t_row + r, block[i]);
            }
        }
}

FM_SPECIALIZED void fm_column_block(const int panels, const fm_column_sums *s, ptrdiff_t c) {
    const float *in = s->in + c / FM_PANEL * s->in_panel;
    vf sums[4 * FM_VECTORS];
    for (int j = 0; j < panels * FM_VECTORS; j++)
        sums[j] = v_set1(0.0f);
    for (ptrdiff_t r = 0; r < s->rows; r++)
        for (int j = 0; j < panels * FM_VECTORS; j++)
            sums[j] = v_add(sums[j], v_load(in + r * s->in_row + (j / FM_VECTORS) * s->in_panel + (j % FM_VECTORS) * V_LANES));
    for (int j = 0; j < panels * FM_VECTORS; j++)
        v_store(s->out + c + j * V_LANES, sums[j]);
}

void FM_FUNCTION(column_sums)(const fm_column_sums *s) {
    ptrdiff_t c = 0;
    for (; c + 4 * FM_PANEL <= s->cols; c += 4 * FM_PANEL)
        fm_column_block(4, s, c);
    for (; c < s->cols; c += FM_PANEL)
        fm_column_block(1, s, c);
}

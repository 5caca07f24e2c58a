/* The orthogonal penalty, on rows or columns of a kernel that are not orthogonal to each other.
 *
 * With rows x of length 1 it is factor · mean |x_i·x_j| over the pairs i < j. Its derivative by x_i is factor / pairs · Σ_j
 * sign(x_i·x_j)·x_j; the component of it orthogonal to x_i, divided by the length, is the derivative by the weights. This takes two
 * products, computed a few rows at a time by gemm_forward: of the vectors with each other, and of the signs with the vectors.
 */
#include "engine/optim/orthogonal.h"
#include "engine/base/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK FM_PANEL                                        /* vectors of which products are in scratch */
#define OTHERS (FM_NC_PANELS * FM_SCRATCH_PANEL / BLOCK)   /* number of other vectors in scratch */
#define MIN_LENGTH 1e-7f

fm_status fm_new_orthogonal(fm_orthogonal *o, const fm_parameter_rule *rule, const ptrdiff_t shape[2]) {
    const ptrdiff_t count = shape[rule->orthogonal_columns ? 1 : 0], length = shape[rule->orthogonal_columns ? 0 : 1];
    const ptrdiff_t padded = FM_ROUND_UP(length);
    fm_layout layout = {0, 0};
    const size_t x = fm_layout_add(&layout, FM_ROUND_UP(count), padded, sizeof(float));
    const size_t side = fm_layout_add(&layout, FM_ROUND_UP(count), length, sizeof(float));
    const size_t end = fm_layout_add(&layout, count, padded, sizeof(float));
    const size_t slope = fm_layout_add(&layout, FM_ROUND_UP(count), padded, sizeof(float));
    const size_t sum = fm_layout_add(&layout, count, 1, sizeof(double));
    const size_t inverse = fm_layout_add(&layout, count, 1, sizeof(float));
    *o = (fm_orthogonal){.memory = fm_layout_allocate(&layout), .count = count, .length = length};
    if (!o->memory)
        return FM_STATUS_NO_MEMORY;
    o->vectors = (float *)(o->memory + x);
    o->packed_vectors = (float *)(o->memory + side);
    o->packed_vectors_t = (float *)(o->memory + end);
    o->slope = (float *)(o->memory + slope);
    o->sum = (double *)(o->memory + sum);
    o->inverse_length = (float *)(o->memory + inverse);
    return FM_STATUS_OK;
}

/* The offset of element l of vector i in the parameters. */
static ptrdiff_t place(const fm_network *network, int p, ptrdiff_t i, ptrdiff_t l) {
    const int columns = network->optimizer.rules[p].orthogonal_columns;
    const ptrdiff_t row = columns ? l : i, column = columns ? i : l;
    return network->offset[p] + (column / FM_PANEL * network->shape[p][0] + row) * FM_PANEL + column % FM_PANEL;
}

/* Normalizes one vector and stores it in the three layouts that the products read. */
static void normalize(const fm_network *network, int p, ptrdiff_t i) {
    const fm_orthogonal *o = &network->optimizer.orthogonal[p];
    const ptrdiff_t padded = FM_ROUND_UP(o->length);
    float *x = o->vectors + i * padded;
    double square = 0.0;
    for (ptrdiff_t l = 0; l < o->length; l++) {
        x[l] = network->value[place(network, p, i, l)];
        square += (double)x[l] * (double)x[l];
    }
    o->inverse_length[i] = 1.0f / fmaxf((float)sqrt(square), MIN_LENGTH);
    for (ptrdiff_t l = 0; l < o->length; l++) {
        x[l] *= o->inverse_length[i];
        o->packed_vectors[(i / FM_PANEL * o->length + l) * FM_PANEL + i % FM_PANEL] = x[l];
        o->packed_vectors_t[(l / FM_PANEL * o->count + i) * FM_PANEL + l % FM_PANEL] = x[l];
    }
}

/* Adds up |cosine| of a block of vectors with the vectors `first` …, and replaces the cosines by their signs. */
static void replace_by_signs(const fm_orthogonal *o, ptrdiff_t begin, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t others, float *cosines) {
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < others; j++) {
            float *cosine = cosines + i * OTHERS + j;
            if (begin + i == first + j)
                *cosine = 0.0f;
            o->sum[begin + i] += fabs((double)*cosine);
            *cosine = (float)((*cosine > 0.0f) - (*cosine < 0.0f));
        }
}

/* Projects a slope onto the plane orthogonal to its vector: the derivative by the weights. */
static void project_gradient(const fm_orthogonal *o, ptrdiff_t i, float factor) {
    const ptrdiff_t padded = FM_ROUND_UP(o->length);
    const float *x = o->vectors + i * padded;
    float *slope = o->slope + i * padded;
    double along = 0.0;
    for (ptrdiff_t l = 0; l < o->length; l++)
        along += (double)x[l] * (double)slope[l];
    for (ptrdiff_t l = 0; l < o->length; l++)
        slope[l] = (slope[l] - x[l] * (float)along) * o->inverse_length[i] * factor;
}

void fm_sum_cosines(const fm_pass *pass, int p) {
    const fm_network *network = pass->network;
    const fm_orthogonal *o = &network->optimizer.orthogonal[p];
    const fm_range own = fm_partition_rows(o->count, pass->worker);
    const ptrdiff_t padded = FM_ROUND_UP(o->length);
    const double pairs =
        fmax((double)o->count * ((double)o->count - 1.0) / 2.0, 1.0); /* at least 1: a single vector has no pairs and a cosine of 0 */
    float *cosines = fm_scratch(pass);
    for (ptrdiff_t i = own.begin; i < own.end; i++)
        normalize(network, p, i);
    fm_team_barrier(pass->worker);
    for (ptrdiff_t begin = own.begin; begin < own.end; begin += BLOCK) {
        const ptrdiff_t rows = own.end - begin < BLOCK ? own.end - begin : BLOCK;
        memset(o->sum + begin, 0, (size_t)rows * sizeof *o->sum);
        for (ptrdiff_t first = 0; first < o->count; first += OTHERS) {
            const ptrdiff_t others = o->count - first < OTHERS ? o->count - first : OTHERS;
            const fm_gemm product = {
                .rows = rows,
                .depth = o->length,
                .panels = FM_ROUND_UP(others) / FM_PANEL,
                .a = o->vectors + begin * padded,
                .a_row = padded,
                .b = o->packed_vectors + first * o->length,
                .b_step = FM_PANEL,
                .b_panel = o->length * FM_PANEL,
                .c = cosines,
                .c_row = OTHERS,
                .c_panel = FM_PANEL,
            };
            network->kernels->gemm_forward(&product);
            replace_by_signs(o, begin, rows, first, others, cosines);
            const fm_gemm slopes = {
                .rows = rows,
                .depth = others,
                .panels = padded / FM_PANEL,
                .a = cosines,
                .a_row = OTHERS,
                .b = o->packed_vectors_t + first * FM_PANEL,
                .b_step = FM_PANEL,
                .b_panel = o->count * FM_PANEL,
                .c = o->slope + begin * padded,
                .c_row = padded,
                .c_panel = FM_PANEL,
                .accumulate = first > 0,
            };
            if (pass->training)
                network->kernels->gemm_forward(&slopes);
        }
        for (ptrdiff_t i = begin; i < begin + rows && pass->training; i++)
            project_gradient(o, i, (float)(network->optimizer.rules[p].orthogonal / pairs));
    }
}

double fm_mean_cosine(const fm_orthogonal *o) {
    double sum = 0.0;
    for (ptrdiff_t i = 0; i < o->count; i++)
        sum += o->sum[i];
    return o->count > 1 ? sum / ((double)o->count * ((double)o->count - 1.0)) : 0.0;
}

void fm_add_orthogonal_gradients(const fm_network *network, int p, fm_range panels) {
    const fm_orthogonal *o = &network->optimizer.orthogonal[p];
    const ptrdiff_t padded = FM_ROUND_UP(o->length), units = network->shape[p][1];
    const int columns = network->optimizer.rules[p].orthogonal_columns;
    for (ptrdiff_t c = panels.begin * FM_PANEL; c < panels.end * FM_PANEL && c < units; c++)
        for (ptrdiff_t r = 0; r < network->shape[p][0]; r++) {
            const ptrdiff_t i = columns ? c : r, l = columns ? r : c;
            network->gradient[place(network, p, i, l)] += o->slope[i * padded + l];
        }
}

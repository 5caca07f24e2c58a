/* Orthogonalizes matrices for Muon by Newton–Schulz iterations.
 *
 * x, whose singular values are at most 1, becomes a·x + b·(x·xᵀ)·x + c·(x·xᵀ)²·x several times, so that each singular value s becomes
 * a·s + b·s³ + c·s⁵ and approaches 1. x is stored with its longer side as rows: then the iteration is x·(a + b·G + c·G²) with G = xᵀ·x,
 * whose sides have the shorter length. The products use the GEMM kernels, and each worker computes some rows of each.
 */
#include "engine/optim/newton.h"
#include "engine/optim/parameter_shard.h"

#include <math.h>
#include <string.h>

#define NORM_EPSILON 1e-7

typedef struct sides {
    ptrdiff_t rows, units;
    int tall; /* more rows than units: x is the matrix itself, else its transpose */
    ptrdiff_t longer, shorter, padded; /* padded: of the shorter side */
} sides;

static sides sides_of(const fm_network *network, int p) {
    const ptrdiff_t rows = network->shape[p][0], units = network->shape[p][1];
    const int tall = rows > units;
    const ptrdiff_t shorter = tall ? units : rows;
    return (sides){rows, units, tall, tall ? rows : units, shorter, FM_ROUND_UP(shorter)};
}

fm_newton fm_newton_room(const fm_network *network, const fm_update_spec *update) {
    fm_newton room = {.count = 0};
    for (int p = 0; p < network->parameter_count && update->kind == FM_OPTIMIZER_muon && update->parameters; p++) {
        const sides m = sides_of(network, p);
        if (!update->parameters[p].matrix)
            continue;
        room.count = m.longer * m.padded > room.count ? m.longer * m.padded : room.count;
        room.grams = m.padded * m.padded > room.grams ? m.padded * m.padded : room.grams;
    }
    return room;
}

/* The offset of x(i, j) in the parameter's panels. */
static ptrdiff_t place(const sides *m, ptrdiff_t i, ptrdiff_t j) {
    const ptrdiff_t row = m->tall ? i : j, column = m->tall ? j : i;
    return (column / FM_PANEL * m->rows + row) * FM_PANEL + column % FM_PANEL;
}

/* x = step / ‖step‖ in these rows, with zeros in pads. */
static void load_normalized(const fm_network *network, int p, const sides *m, fm_range rows) {
    const float *from = network->optimizer.step + network->offset[p];
    const float scale = (float)(1.0 / (sqrt(fm_sum_of(network, p, network->optimizer.norms[1])) + NORM_EPSILON));
    for (ptrdiff_t j = 0; j < m->padded; j++)
        for (ptrdiff_t i = rows.begin; i < rows.end; i++) {
            float *x = network->optimizer.newton.x + (j / FM_PANEL * m->longer + i) * FM_PANEL + j % FM_PANEL;
            *x = j < m->shorter ? scale * from[place(m, i, j)] : 0.0f;
        }
}

/* Stores these rows of x as the step. */
static void store_step(const fm_network *network, int p, const sides *m, fm_range rows) {
    float *to = network->optimizer.step + network->offset[p];
    for (ptrdiff_t j = 0; j < m->shorter; j++)
        for (ptrdiff_t i = rows.begin; i < rows.end; i++)
            to[place(m, i, j)] = network->optimizer.newton.x[(j / FM_PANEL * m->longer + i) * FM_PANEL + j % FM_PANEL];
}

/* Rows 16·panel … of out = fromᵀ·from, [padded / 16][padded][16], where from is [padded / 16][depth][16]. */
static void multiply_by_itself(const fm_network *network, const float *from, ptrdiff_t depth, ptrdiff_t padded, ptrdiff_t panel,
                               float *out) {
    const fm_gemm product = {
        .rows = FM_PANEL,
        .depth = depth,
        .panels = padded / FM_PANEL,
        .a = from + panel * depth * FM_PANEL,
        .a_step = FM_PANEL,
        .b = from,
        .b_step = FM_PANEL,
        .b_panel = depth * FM_PANEL,
        .c = out + panel * FM_PANEL * FM_PANEL,
        .c_row = FM_PANEL,
        .c_panel = padded * FM_PANEL,
    };
    network->kernels->gemm_dw(&product);
}

/* b·G + c·G² in the same rows; G is symmetric. */
static void make_polynomial(const fm_network *network, const sides *m, ptrdiff_t panel) {
    const fm_newton *newton = &network->optimizer.newton;
    const fm_update_spec *update = &network->update;
    multiply_by_itself(network, newton->gram, m->padded, m->padded, panel, newton->polynomial);
    for (ptrdiff_t j = 0; j < m->padded; j += FM_PANEL) {
        const ptrdiff_t at = j * m->padded + panel * FM_PANEL * FM_PANEL;
        float *square = newton->polynomial + at;
        const fm_combine sum = {
            FM_PANEL * FM_PANEL, square, newton->gram + at, (float)update->newton_c, (float)update->newton_b, square,
        };
        network->kernels->combine(&sum);
    }
}

/* x = a·x + x·polynomial in these rows. */
static void apply_polynomial(const fm_network *network, const sides *m, fm_range rows) {
    const fm_newton *newton = &network->optimizer.newton;
    const ptrdiff_t panel = m->longer * FM_PANEL, offset = rows.begin * FM_PANEL, count = rows.end - rows.begin;
    const fm_gemm product = {
        .rows = count,
        .depth = m->shorter,
        .panels = m->padded / FM_PANEL,
        .a = newton->x + offset,
        .a_step = panel,
        .b = newton->polynomial,
        .b_step = FM_PANEL,
        .b_panel = m->padded * FM_PANEL,
        .c = newton->product + offset,
        .c_row = FM_PANEL,
        .c_panel = panel,
    };
    if (count == 0)
        return;
    network->kernels->gemm_dx(&product);
    for (ptrdiff_t j = 0; j < m->padded / FM_PANEL; j++) {
        float *x = newton->x + j * panel + offset;
        const fm_combine sum = {count * FM_PANEL, x, newton->product + j * panel + offset, (float)network->update.newton_a, 1.0f, x};
        network->kernels->combine(&sum);
    }
}

void fm_make_orthogonal(const fm_pass *pass, int p) {
    const fm_network *network = pass->network;
    const fm_newton *newton = &network->optimizer.newton;
    const sides m = sides_of(network, p);
    const fm_range rows = fm_partition_rows(m.longer, pass->worker), panels = fm_partition(m.padded / FM_PANEL, pass->worker);
    load_normalized(network, p, &m, rows);
    for (int n = 0; n < (int)network->update.newton_steps; n++) {
        fm_team_barrier(pass->worker);
        for (ptrdiff_t i = panels.begin; i < panels.end; i++)
            multiply_by_itself(network, newton->x, m.longer, m.padded, i, newton->gram);
        fm_team_barrier(pass->worker);
        for (ptrdiff_t i = panels.begin; i < panels.end; i++)
            make_polynomial(network, &m, i);
        fm_team_barrier(pass->worker);
        apply_polynomial(network, &m, rows);
    }
    store_step(network, p, &m, rows);
    fm_team_barrier(pass->worker);
}

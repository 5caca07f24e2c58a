/* Layer-wise optimizers (LAMB, Adafactor, Muon), whose steps depend on norms or products of a whole parameter.
 *
 * Gradients are in memory, and clipped and averaged: optim/update.c. A step is first computed in `optimizer.step`, each worker its
 * panels. Norms are sums over columns in a fixed order, so no bit depends on the number of threads.
 */
#include "engine/optim/layerwise.h"
#include "engine/optim/parameter_shard.h"
#include "engine/optim/newton.h"

#include <math.h>
#include <string.h>

/* w += factor · step, for a worker's shard. */
static void apply_scaled_step(const fm_network *network, const fm_parameter_shard *s, double factor) {
    float *value = network->value + s->offset;
    const fm_combine move = {s->n, network->optimizer.step + s->offset, value, (float)factor, 1.0f, value};
    network->kernels->combine(&move);
}

/* -- lamb -------------------------------------------------------------------------------------------------------------------------- */

/* Adam's step at a learning rate of 1, computed by update_nadam with a gradient term of 0; applied to 0, so it has the opposite sign. */
static void adam_step(const fm_network *network, const fm_step *step, const fm_parameter_shard *s) {
    fm_update update = step->constants;
    update.n = s->n;
    update.w = network->optimizer.step + s->offset;
    update.g = network->gradient + s->offset;
    update.learning_rate = 0.0f;
    for (int i = 0; i < 2; i++)
        update.slot[i] = network->slot[i] + s->offset;
    memset(update.w, 0, (size_t)s->n * sizeof *update.w);
    network->kernels->update_nadam(&update);
}

static void lamb(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    float *const *norms = network->optimizer.norms;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        adam_step(network, step, &s);
        fm_sum_columns(network, &s, network->value, NULL, norms[0]);
        fm_sum_columns(network, &s, network->optimizer.step, NULL, norms[1]);
    }
    fm_team_barrier(pass->worker);
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        const double of_weights = sqrt(fm_sum_of(network, p, norms[0])), of_step = sqrt(fm_sum_of(network, p, norms[1]));
        const double trust = of_weights > 0.0 && of_step > 0.0 ? of_weights / of_step : 1.0;
        apply_scaled_step(network, &s, (double)step->constants.learning_rate * trust);
    }
}

/* -- adafactor --------------------------------------------------------------------------------------------------------------------- */

/* The step g / √v with a known v, by update_rmsprop with ρ = 1; applied to 0, so it has the opposite sign. */
static void divide_by_root(const fm_network *network, const fm_parameter_shard *s) {
    const fm_update update = {
        .n = s->n,
        .w = network->optimizer.step + s->offset,
        .g = network->gradient + s->offset,
        .slot = {network->slot[2] + s->offset},
        .learning_rate = 1.0f,
        .rho = 1.0f,
    };
    memset(update.w, 0, (size_t)s->n * sizeof *update.w);
    network->kernels->update_rmsprop(&update);
    fm_sum_columns(network, s, network->optimizer.step, NULL, network->optimizer.norms[1]);
}

/* mean = β·mean + (1 − β)·(sum / count + ε). */
static void update_means(const fm_update *u, float *mean, const float *sum, ptrdiff_t n, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < n; i++)
        mean[i] = u->rho * mean[i] + u->one_minus_rho * (sum[i] / (float)count + u->epsilon);
}

static void update_squares(const fm_network *network, const fm_update *u, const fm_parameter_shard *s) {
    float *v = network->slot[2] + s->offset;
    const float *g = network->gradient + s->offset;
    for (ptrdiff_t i = 0; i < s->n; i++)
        v[i] = u->rho * v[i] + u->one_minus_rho * (g[i] * g[i] + u->epsilon);
}

/* Updates the mean squares of a matrix's rows and columns; a worker takes some of the rows, and its own panels. */
static void update_row_and_column_means(const fm_network *network, const fm_update *u, const fm_parameter_shard *s, fm_worker worker) {
    const ptrdiff_t p = s->parameter, offset = network->offset[p], units = network->shape[p][1], first = s->panels.begin * FM_PANEL;
    const fm_range rows = fm_partition(s->rows, worker);
    /* In the parameter's part of `step`, which is unused until the barrier: another worker may have started the next parameter. */
    float *row_sums = network->optimizer.step + offset + rows.begin;
    float *column_sums = network->optimizer.norms[1] + network->optimizer.units[p] + first;
    const fm_norms norms = {
        .rows = rows.end - rows.begin,
        .cols = units,
        .x = network->gradient + offset + rows.begin * FM_PANEL,
        .x_panel = s->rows * FM_PANEL,
        .square = row_sums,
    };
    network->kernels->row_norms(&norms);
    update_means(u, network->slot[0] + offset + rows.begin, row_sums, norms.rows, units);
    fm_sum_columns(network, s, network->gradient, NULL, network->optimizer.norms[1]);
    update_means(u, network->slot[1] + offset + first, column_sums, s->cols, s->rows);
}

/* v = row / (mean of rows) · column, in this worker's panels; 1 in pads, which are divided by but never read. */
static void multiply_rows_and_columns(const fm_network *network, const fm_parameter_shard *s) {
    const ptrdiff_t offset = network->offset[s->parameter];
    const float *row = network->slot[0] + offset, *column = network->slot[1] + offset + s->panels.begin * FM_PANEL;
    double sum = 0.0;
    for (ptrdiff_t r = 0; r < s->rows; r++)
        sum += (double)row[r];
    const float mean = (float)(sum / (double)s->rows);
    float *v = network->slot[2] + s->offset;
    for (ptrdiff_t c = 0; c < FM_ROUND_UP(s->cols); c += FM_PANEL)
        for (ptrdiff_t r = 0; r < s->rows; r++)
            for (ptrdiff_t i = 0; i < FM_PANEL; i++, v++)
                *v = c + i < s->cols ? row[r] / mean * column[c + i] : 1.0f;
}

static double root_mean_square(const fm_network *network, int p, const float *columns) {
    return sqrt(fm_sum_of(network, p, columns) / ((double)network->shape[p][0] * (double)network->shape[p][1]));
}

static void adafactor(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    const fm_update *u = &step->constants;
    float *const *norms = network->optimizer.norms;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        fm_sum_columns(network, &s, network->value, NULL, norms[0]);
        if (network->optimizer.rules[p].matrix)
            update_row_and_column_means(network, u, &s, pass->worker);
        else
            update_squares(network, u, &s);
    }
    fm_team_barrier(pass->worker);
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        if (network->optimizer.rules[p].matrix)
            multiply_rows_and_columns(network, &s);
        divide_by_root(network, &s);
    }
    fm_team_barrier(pass->worker);
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        const double of_weights = fmax(network->update.epsilon_2, root_mean_square(network, p, norms[0]));
        const double too_long = root_mean_square(network, p, norms[1]) / network->update.clip_threshold;
        apply_scaled_step(network, &s, (double)u->learning_rate * of_weights / (too_long > 1.0 ? too_long : 1.0));
    }
}

/* -- muon -------------------------------------------------------------------------------------------------------------------------- */

static void adam(const fm_network *network, const fm_step *step, const fm_parameter_shard *s) {
    fm_update update = step->constants;
    update.n = s->n;
    update.w = network->value + s->offset;
    update.g = network->gradient + s->offset;
    update.learning_rate = update.ahead;
    for (int i = 0; i < 2; i++)
        update.slot[i] = network->slot[i] + s->offset;
    network->kernels->update_adam(&update);
}

/* m = μ·m + g; the step is g + μ·m with Nesterov momentum, otherwise m. */
static void add_momentum(const fm_network *network, const fm_update *u, const fm_parameter_shard *s) {
    float *m = network->slot[0] + s->offset, *to = network->optimizer.step + s->offset;
    const float *g = network->gradient + s->offset;
    const fm_combine follow = {s->n, g, m, 1.0f, u->momentum, m}, ahead = {s->n, g, m, 1.0f, u->momentum, to};
    network->kernels->combine(&follow);
    if (u->nesterov != 0.0f)
        network->kernels->combine(&ahead);
    else
        memcpy(to, m, (size_t)s->n * sizeof *to);
    fm_sum_columns(network, s, network->optimizer.step, NULL, network->optimizer.norms[1]);
}

static void muon(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    const double rms_rate = network->update.rms_rate;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        if (network->optimizer.rules[p].matrix)
            add_momentum(network, &step->constants, &s);
        else
            adam(network, step, &s);
    }
    fm_team_barrier(pass->worker);
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (!network->trainable[p] || !network->optimizer.rules[p].matrix)
            continue;
        fm_make_orthogonal(pass, p);
        const double longer = fmax((double)network->shape[p][0], (double)network->shape[p][1]);
        apply_scaled_step(network, &s, -(double)step->constants.learning_rate * (rms_rate < 0.0 ? 1.0 : rms_rate * sqrt(longer)));
    }
}

void fm_step_layerwise(const fm_pass *pass, const fm_step *step) {
    fm_team_barrier(pass->worker); /* other workers may still read the sums of squares that gradients are clipped by */
    switch (pass->network->update.kind) {
    case FM_OPTIMIZER_lamb:
        lamb(pass, step);
        break;
    case FM_OPTIMIZER_adafactor:
        adafactor(pass, step);
        break;
    default:
        muon(pass, step);
    }
}

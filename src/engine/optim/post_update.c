/* What follows an update: the EMA of the parameters, then constraints. */
#include "engine/optim/post_update.h"
#include "engine/optim/parameter_shard.h"

#include <math.h>
#include <string.h>

#define NORM_EPSILON 1e-7

/* Keras' EMA: the weights themselves after the first step. */
static void update_ema(const fm_network *network, const fm_step *step, const fm_parameter_shard *s) {
    const fm_update_spec *update = &network->update;
    const double momentum = step->taken ? update->ema_momentum : 0.0;
    float *ema = network->optimizer.ema + s->offset, *value = network->value + s->offset;
    const fm_combine follow = {s->n, ema, value, (float)momentum, (float)(1.0 - momentum), ema};
    network->kernels->combine(&follow);
    if (update->ema_overwrite_frequency > 0 && (step->taken + 1) % (uint64_t)update->ema_overwrite_frequency == 0)
        memcpy(value, ema, (size_t)s->n * sizeof *value);
}

static float norm_factor(const fm_parameter_rule *rule, double square) {
    const double norm = sqrt(square), kept = fmin(fmax(norm, rule->min_value), rule->max_value);
    return (float)((rule->rate * kept + (1.0 - rule->rate) * norm) / (NORM_EPSILON + norm));
}

static void rescale(const fm_network *network, const fm_rescale *arguments) {
    if (arguments->rows > 0 && arguments->cols > 0)
        network->kernels->rescale(arguments);
}

/* The norm of each unit's weights. The sums of squares are replaced by factors in place. */
static void constrain_units(const fm_network *network, const fm_parameter_rule *rule, const fm_parameter_shard *s) {
    float *columns = network->optimizer.norms[1] + network->optimizer.units[s->parameter] + s->panels.begin * FM_PANEL;
    fm_sum_columns(network, s, network->value, NULL, network->optimizer.norms[1]);
    for (ptrdiff_t c = 0; c < FM_ROUND_UP(s->cols); c++)
        columns[c] = c < s->cols ? norm_factor(rule, (double)columns[c]) : 0.0f;
    rescale(network, &(fm_rescale){s->rows, s->cols, network->value + s->offset, s->rows * FM_PANEL, columns, NULL});
}

/* The norm of each input's weights, which cross all panels: a worker takes some of the rows. */
static void constrain_inputs(const fm_network *network, const fm_parameter_rule *rule, int p, fm_worker worker) {
    const fm_range rows = fm_partition(network->shape[p][0], worker);
    float *x = network->value + network->offset[p] + rows.begin * FM_PANEL, *factor = network->optimizer.factor + rows.begin;
    const ptrdiff_t panel = network->shape[p][0] * FM_PANEL, cols = network->shape[p][1], count = rows.end - rows.begin;
    const fm_norms norms = {.rows = count, .cols = cols, .x = x, .x_panel = panel, .square = factor};
    network->kernels->row_norms(&norms);
    for (ptrdiff_t r = 0; r < count; r++)
        factor[r] = norm_factor(rule, (double)factor[r]);
    rescale(network, &(fm_rescale){count, cols, x, panel, NULL, factor});
}

/* The norm of a whole parameter, by one worker. */
static void constrain_all(const fm_network *network, const fm_parameter_rule *rule, int p) {
    const fm_parameter_shard s = fm_shard_parameter(network, p, (fm_worker){0, 1});
    fm_sum_columns(network, &s, network->value, NULL, network->optimizer.norms[1]);
    const float factor = norm_factor(rule, fm_sum_of(network, p, network->optimizer.norms[1]));
    for (ptrdiff_t r = 0; r < s.rows; r++)
        network->optimizer.factor[r] = factor;
    rescale(network, &(fm_rescale){s.rows, s.cols, network->value + s.offset, s.rows * FM_PANEL, NULL, network->optimizer.factor});
}

static void constrain(const fm_pass *pass, int p) {
    const fm_network *network = pass->network;
    const fm_parameter_rule *rule = &network->optimizer.rules[p];
    const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
    float *x = network->value + s.offset;
    if (rule->constraint == FM_CONSTRAINT_NON_NEGATIVE) {
        const fm_elementwise positive = {.n = s.n, .x = x, .out = x, .activation = FM_ACTIVATION_relu};
        network->kernels->activation(&positive);
    } else if (rule->axis == FM_AXIS_EACH_UNIT) {
        constrain_units(network, rule, &s);
    } else {
        fm_team_barrier(pass->worker); /* rows cross the shards of other workers */
        if (rule->axis == FM_AXIS_EACH_INPUT)
            constrain_inputs(network, rule, p, pass->worker);
        else if (pass->worker.id == 0)
            constrain_all(network, rule, p);
        fm_team_barrier(pass->worker);
    }
}

void fm_post_update(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    for (int p = 0; p < network->parameter_count; p++) {
        if (!network->trainable[p])
            continue;
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (network->optimizer.ema)
            update_ema(network, step, &s);
        if (network->optimizer.rules[p].constraint != FM_CONSTRAINT_FREE)
            constrain(pass, p);
    }
}

/* Unfused updates: gradients are in memory first. Needed for clipping by norms, gradient accumulation and layer-wise optimizers.
 *
 * Work is divided at panels, and every sum over weights is a sum over each column and then over the columns in order, so no bit depends
 * on the number of threads.
 */
#include "engine/optim/update.h"
#include "engine/optim/parameter_shard.h"
#include "engine/optim/penalties.h"
#include "engine/optim/layerwise.h"

#include <math.h>
#include <string.h>

/* Adds this worker's part of the gradient to the accumulator; in the last batch of a step, the sum replaces the gradient. */
static void accumulate(const fm_network *network, const fm_parameter_shard *s, int last) {
    float *gradient = network->gradient + s->offset, *sum = network->optimizer.accumulator + s->offset;
    const fm_combine add = {.n = s->n, .x = sum, .y = gradient, .a = 1.0f, .b = 1.0f, .out = last ? gradient : sum};
    network->kernels->combine(&add);
    if (last)
        memset(sum, 0, (size_t)s->n * sizeof *sum);
}

/* The factor that clips a gradient, already multiplied by `scale`, to norm `longest`. */
static double clip_factor(double square, double scale, double longest) {
    const double norm = scale * sqrt(square);
    return norm > longest ? longest / norm : 1.0 + (norm - norm); /* NaN and infinity stay */
}

#define CHUNK 2048 /* weights that stay in L1 with their gradient and slots between the adjustment and the rule */

void fm_update_from_gradients(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    const fm_update_spec *update = &network->update;
    const uint64_t batches = fm_batches_per_step(update);
    float *squares = network->optimizer.norms[1];
    const int clips = update->clipnorm != 0.0 || update->global_clipnorm != 0.0;
    const int adjusts = network->optimizer.needs_full_gradient || network->optimizer.has_adjustments;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        if (batches > 1)
            accumulate(network, &s, step->last);
        if (clips && step->last)
            fm_sum_columns(network, &s, network->gradient, NULL, squares);
    }
    if (!step->last)
        return;
    fm_team_barrier(pass->worker);
    const double mean = 1.0 / (double)batches;
    double square = 0.0;
    for (int p = 0; p < network->parameter_count && update->global_clipnorm != 0.0; p++)
        square += fm_sum_of(network, p, squares);
    for (int p = 0; p < network->parameter_count; p++) {
        if (!network->trainable[p])
            continue;
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        double factor = 1.0;
        if (update->clipnorm != 0.0)
            factor = clip_factor(fm_sum_of(network, p, squares), mean, update->clipnorm);
        else if (update->global_clipnorm != 0.0)
            factor = clip_factor(square, mean, update->global_clipnorm);
        for (ptrdiff_t at = s.offset; at < s.offset + s.n; at += CHUNK) {
            const ptrdiff_t left = s.offset + s.n - at, n = left < CHUNK ? left : CHUNK;
            fm_adjust adjust = fm_adjustment(network, step, p, at, n, network->gradient + at);
            adjust.l1 = adjust.l2 = 0.0f;
            adjust.scale = (float)(factor * mean);
            if (adjusts)
                network->kernels->adjust(&adjust);
            if (step->update)
                fm_apply_rule(network, step, at, n, adjust.g);
        }
    }
    if (!step->update)
        fm_step_layerwise(pass, step);
}

void fm_update_unfused(const fm_pass *pass, const fm_step *step) {
    if (pass->network->optimizer.needs_full_gradient) {
        fm_add_penalty_gradients(pass);
        fm_update_from_gradients(pass, step);
        return;
    }
    for (int p = 0; p < pass->network->parameter_count; p++) {
        if (!pass->network->trainable[p])
            continue;
        const fm_parameter_shard s = fm_shard_parameter(pass->network, p, pass->worker);
        fm_apply_step(pass->network, step, s.offset, s.n, pass->network->gradient + s.offset);
    }
}

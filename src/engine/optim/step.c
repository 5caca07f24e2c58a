/* The optimizer's step: its constants in this iteration, and its application to parts of parameters.
 *
 * A rule that needs only the elements it updates is applied to each block of a gradient while that is in L1, together with L1 and L2
 * penalties, weight decay and clipvalue.
 */
#include "engine/optim/step.h"

#include <math.h>
#include <string.h>

fm_step fm_rule_of(const fm_kernels *kernels, int kind) {
    static const int order[] = {
#define FM_REPLAY(name, slots) FM_OPTIMIZER_##name,
#include "kernels/kernels.def"
    };
    void (*const updates[])(const fm_update *) = {
#define FM_OPTIMIZER(name, ...) kernels->update_##name,
#define FM_LAYERWISE_OPTIMIZER(name, ...) NULL,
#include "kernels/kernels.def"
    };
    void (*const replays[])(const fm_replay *) = {
#define FM_REPLAY(name, slots) kernels->replay_##name,
#include "kernels/kernels.def"
    };
    fm_step step = {.update = updates[kind]};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (order[i] == kind)
            step.replay = replays[i];
    return step;
}

uint64_t fm_batches_per_step(const fm_update_spec *update) { return update->accumulate > 1 ? (uint64_t)update->accumulate : 1; }

/* Number of steps in which Nadam's momentum changes; after that it equals beta_1 to the last bit. */
#define NADAM_GROWS 1000

/* Nadam's momentum in step t, from 1. */
static double nadam_momentum(const fm_update_spec *update, double t) { return update->beta_1 * (1.0 - 0.5 * pow(0.96, t)); }

void fm_copy_parameters_to_slots(fm_network *network) {
    if (network->update.kind == FM_OPTIMIZER_schedule_free)
        memcpy(network->slot[0], network->value, (size_t)network->size * sizeof *network->value);
}

void fm_begin_iteration(fm_network *network) {
    fm_optimizer *optimizer = &network->optimizer;
    if (network->state.iterations == 0)
        fm_copy_parameters_to_slots(network);
    uint64_t t = network->state.iterations / fm_batches_per_step(&network->update) + 1;
    if (network->update.kind != FM_OPTIMIZER_nadam)
        return;
    if (t > NADAM_GROWS)
        t = NADAM_GROWS;
    if (optimizer->product_steps > t || optimizer->product_steps == 0) {
        optimizer->product_steps = 0;
        optimizer->product = 1.0;
    }
    while (optimizer->product_steps < t)
        optimizer->product *= nadam_momentum(&network->update, (double)++optimizer->product_steps);
}

fm_step fm_step_of(const fm_network *network) {
    const fm_update_spec *u = &network->update;
    const double t = (double)(network->state.iterations / fm_batches_per_step(u)) + 1.0, rate = network->state.learning_rate;
    fm_step step = fm_rule_of(network->kernels, u->kind);
    step.decay = (float)(rate * u->weight_decay);
    step.vector_decay = (float)(rate * (u->kind == FM_OPTIMIZER_muon ? u->vector_decay : u->weight_decay));
    step.taken = network->state.iterations / fm_batches_per_step(u);
    step.last = (network->state.iterations + 1) % fm_batches_per_step(u) == 0;
    step.constants = (fm_update){
#define FM_HYPERPARAMETER(name) .name = (float)u->name,
#include "kernels/kernels.def"
        .learning_rate = (float)rate,
        .one_minus_rho = (float)(1.0 - u->rho),
        .one_minus_beta_1 = (float)(1.0 - u->beta_1),
        .one_minus_beta_2 = (float)(1.0 - u->beta_2),
    };
    if (u->kind == FM_OPTIMIZER_ftrl) {
        step.constants.shrinkage = (float)(2.0 * u->shrinkage);
        step.constants.l2 = rate > 0.0 ? (float)(2.0 * u->l2 + u->beta / rate) : 0.0f;
    }
    if (u->kind == FM_OPTIMIZER_adam)
        step.constants.learning_rate = (float)(rate * (sqrt(1.0 - pow(u->beta_2, t)) / (1.0 - pow(u->beta_1, t))));
    if (u->kind == FM_OPTIMIZER_adamax)
        step.constants.learning_rate = (float)(rate / (1.0 - pow(u->beta_1, t)));
    if (u->kind == FM_OPTIMIZER_nadam) {
        const double next = nadam_momentum(u, t + 1.0), product = network->optimizer.product * pow(u->beta_1, fmax(t - NADAM_GROWS, 0.0));
        step.constants.learning_rate = (float)(rate * (1.0 - nadam_momentum(u, t)) / (1.0 - product));
        step.constants.ahead = (float)(rate * next / (1.0 - product * next));
        step.constants.correction = (float)(1.0 / (1.0 - pow(u->beta_2, t)));
    }
    if (u->kind == FM_OPTIMIZER_adafactor) {
        step.constants.learning_rate = (float)fmin(rate, 1.0 / sqrt(t));
        step.constants.one_minus_rho = (float)pow(t, u->beta_2_decay);
        step.constants.rho = (float)(1.0 - pow(t, u->beta_2_decay));
    }
    if (u->kind == FM_OPTIMIZER_muon)
        step.constants.ahead = (float)(rate * u->vector_rate * (sqrt(1.0 - pow(u->beta_2, t)) / (1.0 - pow(u->beta_1, t))));
    if (u->kind == FM_OPTIMIZER_lamb) {
        step.constants.ahead = (float)(1.0 / (1.0 - pow(u->beta_1, t)));
        step.constants.correction = (float)(1.0 / (1.0 - pow(u->beta_2, t)));
    }
    if (u->kind == FM_OPTIMIZER_schedule_free) {
        step.constants.learning_rate = (float)(rate * (u->warmup > 0.0 ? fmin(t / u->warmup, 1.0) : 1.0));
        step.constants.correction = (float)(1.0 / (1.0 - pow(u->beta_2, t)));
        step.constants.average = (float)(1.0 / t);
        step.constants.ahead = (float)(1.0 - u->beta_1 * (1.0 - 1.0 / t));
    }
    return step;
}

static int parameter_at(const fm_network *network, ptrdiff_t offset) {
    int p = network->parameter_count - 1;
    while (p > 0 && network->offset[p] > offset)
        p--;
    return p;
}

void fm_apply_rule(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, const float *gradient) {
    fm_update update = step->constants;
    update.n = n;
    update.w = network->value + offset;
    update.g = gradient;
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        update.slot[s] = network->slot[s] ? network->slot[s] + offset : NULL;
    step->update(&update);
}

fm_adjust fm_adjustment(const fm_network *network, const fm_step *step, int p, ptrdiff_t offset, ptrdiff_t n, float *gradient) {
    const fm_parameter_rule *rule = &network->optimizer.rules[p];
    return (fm_adjust){
        .n = n,
        .w = network->value + offset,
        .g = gradient,
        .l1 = (float)rule->l1,
        .l2 = (float)(2.0 * rule->l2),
        .scale = 1.0f,
        .clip = network->update.clipvalue != 0.0 ? (float)network->update.clipvalue : INFINITY,
        .decay = rule->undecayed ? 0.0f
                 : rule->matrix  ? step->decay
                                 : step->vector_decay,
    };
}

void fm_apply_step(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, float *gradient) {
    if (!step->update) {
        float *whole = network->gradient + offset;
        const fm_elementwise sum = {.n = n, .x = whole, .y = gradient, .out = whole};
        if (network->accumulates)
            network->kernels->add(&sum);
        else
            memcpy(whole, gradient, (size_t)n * sizeof *gradient);
        return;
    }
    if (network->optimizer.has_adjustments) {
        const fm_adjust adjust = fm_adjustment(network, step, parameter_at(network, offset), offset, n, gradient);
        network->kernels->adjust(&adjust);
    }
    fm_apply_rule(network, step, offset, n, gradient);
}

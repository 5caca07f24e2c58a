/* The optimizer's steps and what surrounds them: penalties, clipping, decay, sums of gradients, averages, constraints.
 *
 * A rule that needs no more than the numbers it moves is applied to each block of a gradient while that is in the first cache, penalties
 * of single weights, decay and clipvalue with it. What needs a whole gradient waits until all of it has been through memory. Work is cut at
 * panels, and every sum over weights is one over a column and then over the columns in order, so no bit depends on the threads.
 */
#include "engine/optim/update.h"
#include "engine/base/arena.h"
#include "engine/optim/columns.h"
#include "engine/optim/newton.h"
#include "engine/optim/orthogonal.h"
#include "engine/optim/whole.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NORM_EPSILON 1e-7

/* -- the rule ---------------------------------------------------------------------------------------------------------------------- */

static fm_step rule_of(const fm_kernels *kernels, int kind) {
    static const int order[] = {
#define FM_REPLAY(name, slots) FM_OPTIMIZER_##name,
#include "kernels/kernels.def"
    };
    void (*const updates[])(const fm_update *) = {
#define FM_OPTIMIZER(name, slots) kernels->update_##name,
#define FM_WHOLE_OPTIMIZER(name, slots) NULL,
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

/* Slots this rule really uses: none for plain SGD, no momentum array for RMSprop without momentum. */
static int slots_used(const fm_update_spec *update) {
    static const int most[] = {
#define FM_OPTIMIZER(name, slots) slots,
#define FM_WHOLE_OPTIMIZER(name, slots) slots,
#include "kernels/kernels.def"
    };
    switch (update->kind) {
    case FM_OPTIMIZER_sgd:
        return update->momentum != 0.0;
    case FM_OPTIMIZER_rmsprop:
        return 1 + (update->momentum != 0.0) + (update->centered != 0);
    case FM_OPTIMIZER_adam:
        return 2 + (update->amsgrad != 0);
    default:
        return most[update->kind];
    }
}

static uint64_t batches_per_step(const fm_update_spec *update) { return update->accumulate > 1 ? (uint64_t)update->accumulate : 1; }

/* Steps in which Nadam's momentum grows; by then it is beta_1 to the last bit. */
#define NADAM_GROWS 1000

/* Nadam's momentum in step t, from 1. */
static double nadam_momentum(const fm_update_spec *update, double t) { return update->beta_1 * (1.0 - 0.5 * pow(0.96, t)); }

/* Slots that begin as the parameters, which may change until training begins. */
static void copy_parameters(fm_network *network) {
    if (network->update.kind == FM_OPTIMIZER_schedule_free)
        memcpy(network->slot[0], network->value, (size_t)network->size * sizeof *network->value);
}

void fm_follow_iterations(fm_network *network) {
    fm_surroundings *around = &network->around;
    if (network->state.iterations == 0)
        copy_parameters(network);
    uint64_t t = network->state.iterations / batches_per_step(&network->update) + 1;
    if (network->update.kind != FM_OPTIMIZER_nadam)
        return;
    if (t > NADAM_GROWS)
        t = NADAM_GROWS;
    if (around->product_steps > t || around->product_steps == 0) {
        around->product_steps = 0;
        around->product = 1.0;
    }
    while (around->product_steps < t)
        around->product *= nadam_momentum(&network->update, (double)++around->product_steps);
}

fm_step fm_step_of(const fm_network *network) {
    const fm_update_spec *u = &network->update;
    const double t = (double)(network->state.iterations / batches_per_step(u)) + 1.0, rate = network->state.learning_rate;
    fm_step step = rule_of(network->kernels, u->kind);
    step.decay = (float)(rate * u->weight_decay);
    step.vector_decay = (float)(rate * (u->kind == FM_OPTIMIZER_muon ? u->vector_decay : u->weight_decay));
    step.taken = network->state.iterations / batches_per_step(u);
    step.last = (network->state.iterations + 1) % batches_per_step(u) == 0;
    step.constants = (fm_update){
        .learning_rate = (float)rate,
        .momentum = (float)u->momentum,
        .rho = (float)u->rho,
        .one_minus_rho = (float)(1.0 - u->rho),
        .beta_1 = (float)u->beta_1,
        .one_minus_beta_1 = (float)(1.0 - u->beta_1),
        .beta_2 = (float)u->beta_2,
        .one_minus_beta_2 = (float)(1.0 - u->beta_2),
        .epsilon = (float)u->epsilon,
        .nesterov = u->nesterov,
        .centered = u->centered,
        .amsgrad = u->amsgrad,
        .l1 = (float)u->l1,
        .shrinkage = (float)(2.0 * u->shrinkage),
        .power = (float)u->power,
    };
    if (u->kind == FM_OPTIMIZER_ftrl && rate > 0.0)
        step.constants.l2 = (float)(2.0 * u->l2 + u->beta / rate);
    if (u->kind == FM_OPTIMIZER_adam)
        step.constants.learning_rate = (float)(rate * (sqrt(1.0 - pow(u->beta_2, t)) / (1.0 - pow(u->beta_1, t))));
    if (u->kind == FM_OPTIMIZER_adamax)
        step.constants.learning_rate = (float)(rate / (1.0 - pow(u->beta_1, t)));
    if (u->kind == FM_OPTIMIZER_nadam) {
        const double next = nadam_momentum(u, t + 1.0), product = network->around.product * pow(u->beta_1, fmax(t - NADAM_GROWS, 0.0));
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
        step.constants.learning_rate = (float)(rate * (u->warmup > 0 ? fmin(t / (double)u->warmup, 1.0) : 1.0));
        step.constants.correction = (float)(1.0 / (1.0 - pow(u->beta_2, t)));
        step.constants.average = (float)(1.0 / t);
        step.constants.ahead = (float)(1.0 - u->beta_1 * (1.0 - 1.0 / t));
    }
    return step;
}

/* -- what an update needs ---------------------------------------------------------------------------------------------------------- */

static ptrdiff_t padded_units(const fm_network *network, int p) { return FM_ROUND_UP(network->shape[p][1]); }

/* Whether steps are made by optim/whole.c. */
static int is_whole(const fm_network *network, const fm_update_spec *update) { return !rule_of(network->kernels, update->kind).update; }

/* Looks through the rules for what has to be done at all. */
static void look_through(const fm_network *network, const fm_update_spec *update, fm_surroundings *around) {
    around->adjusts = update->weight_decay != 0.0 || update->clipvalue != 0.0;
    around->whole = update->clipnorm != 0.0 || update->global_clipnorm != 0.0 || update->accumulate > 1 || is_whole(network, update);
    around->follows = update->average != 0;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_rule *rule = &around->rules[p];
        around->adjusts |= rule->l1 != 0.0 || rule->l2 != 0.0;
        around->penalized |= rule->l1 != 0.0 || rule->l2 != 0.0 || rule->orthogonal != 0.0;
        around->whole |= rule->orthogonal != 0.0;
        around->follows |= rule->constraint != FM_CONSTRAINT_FREE;
    }
}

static void free_orthogonal(fm_orthogonal *orthogonal, int count) {
    for (int p = 0; p < count && orthogonal; p++)
        free(orthogonal[p].memory);
}

fm_status fm_new_update(fm_network *network, const fm_update_spec *update) {
    const int of_rule = slots_used(update), adds_up = update->accumulate > 1, count = network->parameter_count;
    fm_layout slots = {0, 0}, layout = {0, 0};
    size_t at[FM_SLOTS] = {0};
    for (int s = 0; s < of_rule + !!update->average + adds_up; s++)
        at[s] = fm_layout_add(&slots, network->size, 1, sizeof(float));
    ptrdiff_t units = 0, rows = 0;
    for (int p = 0; p < count; p++) {
        units += padded_units(network, p);
        rows = network->shape[p][0] > rows ? network->shape[p][0] : rows;
    }
    const size_t rules_at = fm_layout_add(&layout, count, 1, sizeof(fm_parameter_rule));
    const size_t orthogonal_at = fm_layout_add(&layout, count, 1, sizeof(fm_orthogonal));
    const size_t units_at = fm_layout_add(&layout, count, 1, sizeof(ptrdiff_t));
    const size_t norms_at = fm_layout_add(&layout, units, 2, sizeof(float));
    const size_t factor_at = fm_layout_add(&layout, rows, 1, sizeof(float));
    const size_t step_at = fm_layout_add(&layout, is_whole(network, update) ? network->size : 0, 1, sizeof(float));
    const fm_newton room = fm_newton_room(network, update);
    const size_t newton_at = fm_layout_add(&layout, room.count, 2, sizeof(float)),
                 gram_at = fm_layout_add(&layout, room.grams, 2, sizeof(float));
    char *slot_memory = fm_layout_allocate(&slots), *memory = fm_layout_allocate(&layout);
    fm_orthogonal *orthogonal = (fm_orthogonal *)(memory ? memory + orthogonal_at : NULL);
    fm_status status = slot_memory && memory ? FM_STATUS_OK : FM_STATUS_NO_MEMORY;
    for (int p = 0; p < count && status == FM_STATUS_OK && update->parameters; p++)
        if (network->trainable[p] && update->parameters[p].orthogonal != 0.0)
            status = fm_new_orthogonal(&orthogonal[p], &update->parameters[p], network->shape[p]);
    if (status != FM_STATUS_OK) {
        free_orthogonal(orthogonal, count);
        free(slot_memory);
        free(memory);
        return status;
    }
    fm_free_update(network);
    network->slot_memory = slot_memory;
    int used = 0;
    for (; used < of_rule; used++)
        network->slot[used] = (float *)(slot_memory + at[used]);
    fm_surroundings *around = &network->around;
    *around = (fm_surroundings){
        .memory = memory,
        .rules = (fm_parameter_rule *)(memory + rules_at),
        .orthogonal = orthogonal,
        .units = (ptrdiff_t *)(memory + units_at),
        .norms = {(float *)(memory + norms_at), (float *)(memory + norms_at) + units},
        .factor = (float *)(memory + factor_at),
        .step = (float *)(memory + step_at),
        .newton = room,
    };
    around->newton.x = (float *)(memory + newton_at);
    around->newton.product = around->newton.x + room.count;
    around->newton.gram = (float *)(memory + gram_at);
    around->newton.polynomial = around->newton.gram + room.grams;
    if (update->average)
        around->average = network->slot[used] = (float *)(slot_memory + at[used]), used++;
    if (adds_up)
        around->accumulator = network->slot[used] = (float *)(slot_memory + at[used]);
    units = 0;
    for (int p = 0; p < count; p++) {
        around->units[p] = units;
        units += padded_units(network, p);
    }
    for (int p = 0; p < count && update->parameters; p++)
        if (network->trainable[p]) /* nothing is asked of what stays as it is */
            around->rules[p] = update->parameters[p];
    look_through(network, update, around);
    const int accumulates = update->kind == FM_OPTIMIZER_adagrad || update->kind == FM_OPTIMIZER_ftrl;
    for (ptrdiff_t i = 0; accumulates && i < network->size; i++)
        network->slot[0][i] = (float)update->initial_accumulator;
    network->update = *update;
    network->update.parameters = around->rules;
    copy_parameters(network);
    return FM_STATUS_OK;
}

void fm_free_update(fm_network *network) {
    free_orthogonal(network->around.orthogonal, network->parameter_count);
    free(network->slot_memory);
    free(network->around.memory);
    network->slot_memory = NULL;
    network->around = (fm_surroundings){.memory = NULL};
    for (int s = 0; s < FM_SLOTS; s++)
        network->slot[s] = NULL;
}

/* -- steps ------------------------------------------------------------------------------------------------------------------------- */

static int parameter_at(const fm_network *network, ptrdiff_t offset) {
    int p = network->parameter_count - 1;
    while (p > 0 && network->offset[p] > offset)
        p--;
    return p;
}

static void take_step(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, const float *gradient) {
    fm_update update = step->constants;
    update.n = n;
    update.w = network->value + offset;
    update.g = gradient;
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        update.slot[s] = network->slot[s] ? network->slot[s] + offset : NULL;
    step->update(&update);
}

/* What changes a gradient and its weights before the step, for numbers of one parameter. */
static fm_adjust adjustment(const fm_network *network, const fm_step *step, int p, ptrdiff_t offset, ptrdiff_t n, float *gradient) {
    const fm_parameter_rule *rule = &network->around.rules[p];
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
    if (network->around.adjusts) {
        const fm_adjust adjust = adjustment(network, step, parameter_at(network, offset), offset, n, gradient);
        network->kernels->adjust(&adjust);
    }
    take_step(network, step, offset, n, gradient);
}

/* -- sums over weights ------------------------------------------------------------------------------------------------------------- */

void fm_sum_penalties(const fm_pass *pass) {
    float *const *norms = pass->network->around.norms;
    for (int p = 0; p < pass->network->parameter_count; p++) {
        const fm_parameter_rule *rule = &pass->network->around.rules[p];
        const fm_stretch s = fm_share_parameter(pass->network, p, pass->worker);
        if (rule->l1 != 0.0 || rule->l2 != 0.0)
            fm_sum_columns(pass->network, &s, pass->network->value, norms[0], norms[1]);
        if (rule->orthogonal != 0.0)
            fm_sum_cosines(pass, p);
    }
}

double fm_penalty(const fm_network *network) {
    double penalty = 0.0;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_rule *rule = &network->around.rules[p];
        if (rule->l1 != 0.0)
            penalty += rule->l1 * fm_sum_of(network, p, network->around.norms[0]);
        if (rule->l2 != 0.0)
            penalty += rule->l2 * fm_sum_of(network, p, network->around.norms[1]);
        if (rule->orthogonal != 0.0)
            penalty += rule->orthogonal * fm_mean_cosine(&network->around.orthogonal[p]);
    }
    return penalty;
}

void fm_add_penalty_gradients(const fm_pass *pass) {
    const fm_network *network = pass->network;
    const fm_step still = {.decay = 0.0f};
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_stretch s = fm_share_parameter(network, p, pass->worker);
        fm_adjust adjust = adjustment(network, &still, p, s.offset, s.n, network->gradient + s.offset);
        adjust.clip = INFINITY;
        if (adjust.l1 != 0.0f || adjust.l2 != 0.0f)
            network->kernels->adjust(&adjust);
        if (network->around.rules[p].orthogonal != 0.0)
            fm_add_turns(network, p, s.panels);
    }
}

/* -- updates that need the whole gradient ------------------------------------------------------------------------------------------ */

/* Adds this worker's part of the gradient to the sum; in the last batch of a step the sum takes the gradient's place. */
static void accumulate(const fm_network *network, const fm_stretch *s, int last) {
    float *gradient = network->gradient + s->offset, *sum = network->around.accumulator + s->offset;
    const fm_combine add = {.n = s->n, .x = sum, .y = gradient, .a = 1.0f, .b = 1.0f, .out = last ? gradient : sum};
    network->kernels->combine(&add);
    if (last)
        memset(sum, 0, (size_t)s->n * sizeof *sum);
}

/* What a gradient whose numbers were multiplied by `scale` is multiplied by to be no longer than `longest`. */
static double clip_factor(double square, double scale, double longest) {
    const double norm = scale * sqrt(square);
    return norm > longest ? longest / norm : 1.0 + (norm - norm); /* what is not finite stays so */
}

static void update_whole(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    const fm_update_spec *update = &network->update;
    const uint64_t batches = batches_per_step(update);
    float *squares = network->around.norms[1];
    const int clips = update->clipnorm != 0.0 || update->global_clipnorm != 0.0;
    fm_add_penalty_gradients(pass);
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_stretch s = fm_share_parameter(network, p, pass->worker);
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
        const fm_stretch s = fm_share_parameter(network, p, pass->worker);
        fm_adjust adjust = adjustment(network, step, p, s.offset, s.n, network->gradient + s.offset);
        double factor = 1.0;
        if (update->clipnorm != 0.0)
            factor = clip_factor(fm_sum_of(network, p, squares), mean, update->clipnorm);
        else if (update->global_clipnorm != 0.0)
            factor = clip_factor(square, mean, update->global_clipnorm);
        adjust.l1 = adjust.l2 = 0.0f;
        adjust.scale = (float)(factor * mean);
        network->kernels->adjust(&adjust);
        if (step->update)
            take_step(network, step, s.offset, s.n, adjust.g);
    }
    if (!step->update)
        fm_step_whole(pass, step);
}

void fm_update_apart(const fm_pass *pass, const fm_step *step) {
    if (pass->network->around.whole) {
        update_whole(pass, step);
        return;
    }
    for (int p = 0; p < pass->network->parameter_count; p++) {
        if (!pass->network->trainable[p])
            continue;
        const fm_stretch s = fm_share_parameter(pass->network, p, pass->worker);
        fm_apply_step(pass->network, step, s.offset, s.n, pass->network->gradient + s.offset);
    }
}

/* -- what follows ------------------------------------------------------------------------------------------------------------------ */

/* Keras' moving average: the weights themselves in the first step. */
static void follow_weights(const fm_network *network, const fm_step *step, const fm_stretch *s) {
    const fm_update_spec *update = &network->update;
    const double momentum = step->taken ? update->average_momentum : 0.0;
    float *average = network->around.average + s->offset, *value = network->value + s->offset;
    const fm_combine follow = {s->n, average, value, (float)momentum, (float)(1.0 - momentum), average};
    network->kernels->combine(&follow);
    if (update->overwrite_every > 0 && (step->taken + 1) % (uint64_t)update->overwrite_every == 0)
        memcpy(value, average, (size_t)s->n * sizeof *value);
}

static float norm_factor(const fm_parameter_rule *rule, double square) {
    const double norm = sqrt(square), kept = fmin(fmax(norm, rule->least), rule->most);
    return (float)((rule->rate * kept + (1.0 - rule->rate) * norm) / (NORM_EPSILON + norm));
}

static void rescale(const fm_network *network, const fm_rescale *arguments) {
    if (arguments->rows > 0 && arguments->cols > 0)
        network->kernels->rescale(arguments);
}

/* Each unit's weights; in place, the sums of squares become factors. */
static void constrain_units(const fm_network *network, const fm_parameter_rule *rule, const fm_stretch *s) {
    float *columns = network->around.norms[1] + network->around.units[s->parameter] + s->panels.begin * FM_PANEL;
    fm_sum_columns(network, s, network->value, NULL, network->around.norms[1]);
    for (ptrdiff_t c = 0; c < FM_ROUND_UP(s->cols); c++)
        columns[c] = c < s->cols ? norm_factor(rule, (double)columns[c]) : 0.0f;
    rescale(network, &(fm_rescale){s->rows, s->cols, network->value + s->offset, s->rows * FM_PANEL, columns, NULL});
}

/* Each input's weights, in all panels: a worker takes some of the rows. */
static void constrain_inputs(const fm_network *network, const fm_parameter_rule *rule, int p, fm_worker worker) {
    const fm_range rows = fm_share(network->shape[p][0], worker);
    float *x = network->value + network->offset[p] + rows.begin * FM_PANEL, *factor = network->around.factor + rows.begin;
    const ptrdiff_t panel = network->shape[p][0] * FM_PANEL, cols = network->shape[p][1], count = rows.end - rows.begin;
    const fm_norms norms = {.rows = count, .cols = cols, .x = x, .x_panel = panel, .square = factor};
    network->kernels->row_norms(&norms);
    for (ptrdiff_t r = 0; r < count; r++)
        factor[r] = norm_factor(rule, (double)factor[r]);
    rescale(network, &(fm_rescale){count, cols, x, panel, NULL, factor});
}

/* All weights of a parameter as one vector: one worker takes all. */
static void constrain_all(const fm_network *network, const fm_parameter_rule *rule, int p) {
    const fm_stretch s = fm_share_parameter(network, p, (fm_worker){0, 1});
    fm_sum_columns(network, &s, network->value, NULL, network->around.norms[1]);
    const float factor = norm_factor(rule, fm_sum_of(network, p, network->around.norms[1]));
    for (ptrdiff_t r = 0; r < s.rows; r++)
        network->around.factor[r] = factor;
    rescale(network, &(fm_rescale){s.rows, s.cols, network->value + s.offset, s.rows * FM_PANEL, NULL, network->around.factor});
}

static void constrain(const fm_pass *pass, int p) {
    const fm_network *network = pass->network;
    const fm_parameter_rule *rule = &network->around.rules[p];
    const fm_stretch s = fm_share_parameter(network, p, pass->worker);
    float *x = network->value + s.offset;
    if (rule->constraint == FM_CONSTRAINT_NON_NEGATIVE) {
        const fm_elementwise positive = {.n = s.n, .x = x, .out = x, .activation = FM_ACTIVATION_relu};
        network->kernels->activate(&positive);
    } else if (rule->axis == FM_AXIS_EACH_UNIT) {
        constrain_units(network, rule, &s);
    } else {
        fm_team_barrier(pass->worker); /* rows cross the panels of other workers */
        if (rule->axis == FM_AXIS_EACH_INPUT)
            constrain_inputs(network, rule, p, pass->worker);
        else if (pass->worker.id == 0)
            constrain_all(network, rule, p);
        fm_team_barrier(pass->worker);
    }
}

void fm_follow_update(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    for (int p = 0; p < network->parameter_count; p++) {
        if (!network->trainable[p])
            continue;
        const fm_stretch s = fm_share_parameter(network, p, pass->worker);
        if (network->around.average)
            follow_weights(network, step, &s);
        if (network->around.rules[p].constraint != FM_CONSTRAINT_FREE)
            constrain(pass, p);
    }
}

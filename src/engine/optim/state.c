/* Allocates what an optimizer needs: the slots of its rule, the EMA and accumulator slots, and the arrays used around a step. */
#include "engine/optim/state.h"
#include "engine/base/arena.h"
#include "engine/optim/newton.h"
#include "engine/optim/orthogonal.h"
#include "engine/optim/step.h"

#include <stdlib.h>

/* Whether a rule keeps its slot of this number in kernels.def, with these hyperparameters. */
static int has_slot(const fm_update_spec *update, int slot) {
    switch (update->kind) {
    case FM_OPTIMIZER_sgd:
        return slot == 0 && update->momentum != 0.0;
    case FM_OPTIMIZER_rmsprop:
        return slot == 0 || (slot == 1 ? update->momentum : update->centered) != 0.0;
    case FM_OPTIMIZER_adam:
        return slot < 2 || update->amsgrad != 0.0;
    default:
        return fm_optimizer_slot_name(update->kind, slot) != NULL;
    }
}

static int count_rule_slots(const fm_update_spec *update) {
    int count = 0;
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        count += has_slot(update, s);
    return count;
}

const char *fm_update_slot_name(const fm_update_spec *update, int slot) {
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        if (has_slot(update, s) && slot-- == 0)
            return fm_optimizer_slot_name(update->kind, s);
    if (update->ema && slot-- == 0)
        return "average";
    return update->accumulate > 1 && slot == 0 ? "gradient_accumulator" : NULL;
}

static ptrdiff_t padded_units(const fm_network *network, int p) { return FM_ROUND_UP(network->shape[p][1]); }

/* Whether optim/layerwise.c takes the steps. */
static int is_layerwise(const fm_network *network, const fm_update_spec *update) {
    return !fm_rule_of(network->kernels, update->kind).update;
}

/* Which of the optional parts of an update there are. */
static void set_flags(const fm_network *network, const fm_update_spec *update, fm_optimizer *optimizer) {
    optimizer->has_adjustments = update->weight_decay != 0.0 || update->clipvalue != 0.0;
    optimizer->needs_full_gradient =
        update->clipnorm != 0.0 || update->global_clipnorm != 0.0 || update->accumulate > 1 || is_layerwise(network, update);
    optimizer->has_post_update = update->ema != 0;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_rule *rule = &optimizer->rules[p];
        optimizer->has_adjustments |= rule->l1 != 0.0 || rule->l2 != 0.0;
        optimizer->has_penalties |= rule->l1 != 0.0 || rule->l2 != 0.0 || rule->orthogonal != 0.0;
        optimizer->needs_full_gradient |= rule->orthogonal != 0.0;
        optimizer->has_post_update |= rule->constraint != FM_CONSTRAINT_FREE;
    }
}

static void free_optimizer(fm_optimizer *optimizer, int parameter_count) {
    for (int p = 0; p < parameter_count && optimizer->orthogonal; p++)
        free(optimizer->orthogonal[p].memory);
    free(optimizer->memory);
}

/* The arrays of an optimizer in one allocation, without the slots. */
static fm_status new_optimizer(const fm_network *network, const fm_update_spec *update, fm_optimizer *optimizer) {
    const int count = network->parameter_count;
    ptrdiff_t units = 0, rows = 0;
    for (int p = 0; p < count; p++) {
        units += padded_units(network, p);
        rows = network->shape[p][0] > rows ? network->shape[p][0] : rows;
    }
    const fm_newton newton = fm_newton_room(network, update);
    fm_layout layout = {0, 0};
    const size_t rules = fm_layout_add(&layout, count, 1, sizeof(fm_parameter_rule));
    const size_t orthogonal = fm_layout_add(&layout, count, 1, sizeof(fm_orthogonal));
    const size_t offsets = fm_layout_add(&layout, count, 1, sizeof(ptrdiff_t));
    const size_t norms = fm_layout_add(&layout, units, 2, sizeof(float));
    const size_t factor = fm_layout_add(&layout, rows, 1, sizeof(float));
    const size_t step = fm_layout_add(&layout, is_layerwise(network, update) ? network->size : 0, 1, sizeof(float));
    const size_t x = fm_layout_add(&layout, newton.count, 2, sizeof(float));
    const size_t gram = fm_layout_add(&layout, newton.grams, 2, sizeof(float));
    char *memory = fm_layout_allocate(&layout);
    *optimizer = (fm_optimizer){.memory = memory};
    if (!memory)
        return FM_STATUS_NO_MEMORY;
    optimizer->rules = (fm_parameter_rule *)(memory + rules);
    optimizer->orthogonal = (fm_orthogonal *)(memory + orthogonal);
    optimizer->units = (ptrdiff_t *)(memory + offsets);
    optimizer->norms[0] = (float *)(memory + norms);
    optimizer->norms[1] = optimizer->norms[0] + units;
    optimizer->factor = (float *)(memory + factor);
    optimizer->step = (float *)(memory + step);
    optimizer->newton = newton;
    optimizer->newton.x = (float *)(memory + x);
    optimizer->newton.product = optimizer->newton.x + newton.count;
    optimizer->newton.gram = (float *)(memory + gram);
    optimizer->newton.polynomial = optimizer->newton.gram + newton.grams;
    for (int p = 1; p < count; p++)
        optimizer->units[p] = optimizer->units[p - 1] + padded_units(network, p - 1);
    return FM_STATUS_OK;
}

/* The rules of the trainable parameters; the others keep one of zeros, which does nothing. */
static fm_status set_rules(const fm_network *network, const fm_update_spec *update, fm_optimizer *optimizer) {
    for (int p = 0; p < network->parameter_count && update->parameters; p++) {
        if (!network->trainable[p])
            continue;
        optimizer->rules[p] = update->parameters[p];
        if (update->parameters[p].orthogonal == 0.0)
            continue;
        const fm_status status = fm_new_orthogonal(&optimizer->orthogonal[p], &update->parameters[p], network->shape[p]);
        if (status != FM_STATUS_OK)
            return status;
    }
    return FM_STATUS_OK;
}

fm_status fm_new_update(fm_network *network, const fm_update_spec *update) {
    const int rule_slots = count_rule_slots(update), accumulates = update->accumulate > 1;
    fm_layout slots = {0, 0};
    size_t at[FM_SLOTS] = {0};
    for (int s = 0; s < rule_slots + !!update->ema + accumulates; s++)
        at[s] = fm_layout_add(&slots, network->size, 1, sizeof(float));
    fm_optimizer optimizer;
    fm_status status = new_optimizer(network, update, &optimizer);
    if (status == FM_STATUS_OK)
        status = set_rules(network, update, &optimizer);
    char *slot_memory = status == FM_STATUS_OK ? fm_layout_allocate(&slots) : NULL;
    if (!slot_memory) {
        free_optimizer(&optimizer, network->parameter_count);
        return FM_STATUS_NO_MEMORY;
    }

    fm_free_update(network); /* nothing can fail from here on */
    network->slot_memory = slot_memory;
    for (int s = 0; s < rule_slots + !!update->ema + accumulates; s++)
        network->slot[s] = (float *)(slot_memory + at[s]);
    optimizer.ema = update->ema ? network->slot[rule_slots] : NULL;
    optimizer.accumulator = accumulates ? network->slot[rule_slots + !!update->ema] : NULL;
    set_flags(network, update, &optimizer);
    network->optimizer = optimizer;
    network->update = *update;
    network->update.parameters = optimizer.rules;
    const int has_accumulator = update->kind == FM_OPTIMIZER_adagrad || update->kind == FM_OPTIMIZER_ftrl;
    for (ptrdiff_t i = 0; has_accumulator && i < network->size; i++)
        network->slot[0][i] = (float)update->initial_accumulator;
    fm_copy_parameters_to_slots(network);
    return FM_STATUS_OK;
}

void fm_free_update(fm_network *network) {
    free_optimizer(&network->optimizer, network->parameter_count);
    free(network->slot_memory);
    network->slot_memory = NULL;
    network->optimizer = (fm_optimizer){.memory = NULL};
    for (int s = 0; s < FM_SLOTS; s++)
        network->slot[s] = NULL;
}

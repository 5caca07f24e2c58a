/* What an update needs: the slots of its rule, and memory for what surrounds a step. */
#include "engine/optim/state.h"
#include "engine/base/arena.h"
#include "engine/optim/newton.h"
#include "engine/optim/orthogonal.h"
#include "engine/optim/step.h"

#include <stdlib.h>

/* Slots this rule really uses: none for plain SGD, no momentum array for RMSprop without momentum. */
static int slots_used(const fm_update_spec *update) {
    static const int max_slots[] = {
#define FM_OPTIMIZER(name, slots) slots,
#define FM_LAYERWISE_OPTIMIZER(name, slots) slots,
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
        return max_slots[update->kind];
    }
}

static ptrdiff_t padded_units(const fm_network *network, int p) { return FM_ROUND_UP(network->shape[p][1]); }

/* Whether steps are made by optim/layerwise.c. */
static int is_layerwise(const fm_network *network, const fm_update_spec *update) {
    return !fm_rule_of(network->kernels, update->kind).update;
}

/* Looks through the rules for what has to be done at all. */
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

static void free_orthogonal(fm_orthogonal *orthogonal, int count) {
    for (int p = 0; p < count && orthogonal; p++)
        free(orthogonal[p].memory);
}

fm_status fm_new_update(fm_network *network, const fm_update_spec *update) {
    const int rule_slots = slots_used(update), accumulates = update->accumulate > 1, count = network->parameter_count;
    fm_layout slots = {0, 0}, layout = {0, 0};
    size_t at[FM_SLOTS] = {0};
    for (int s = 0; s < rule_slots + !!update->ema + accumulates; s++)
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
    const size_t step_at = fm_layout_add(&layout, is_layerwise(network, update) ? network->size : 0, 1, sizeof(float));
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
    for (; used < rule_slots; used++)
        network->slot[used] = (float *)(slot_memory + at[used]);
    fm_optimizer *optimizer = &network->optimizer;
    *optimizer = (fm_optimizer){
        .memory = memory,
        .rules = (fm_parameter_rule *)(memory + rules_at),
        .orthogonal = orthogonal,
        .units = (ptrdiff_t *)(memory + units_at),
        .norms = {(float *)(memory + norms_at), (float *)(memory + norms_at) + units},
        .factor = (float *)(memory + factor_at),
        .step = (float *)(memory + step_at),
        .newton = room,
    };
    optimizer->newton.x = (float *)(memory + newton_at);
    optimizer->newton.product = optimizer->newton.x + room.count;
    optimizer->newton.gram = (float *)(memory + gram_at);
    optimizer->newton.polynomial = optimizer->newton.gram + room.grams;
    if (update->ema)
        optimizer->ema = network->slot[used] = (float *)(slot_memory + at[used]), used++;
    if (accumulates)
        optimizer->accumulator = network->slot[used] = (float *)(slot_memory + at[used]);
    units = 0;
    for (int p = 0; p < count; p++) {
        optimizer->units[p] = units;
        units += padded_units(network, p);
    }
    for (int p = 0; p < count && update->parameters; p++)
        if (network->trainable[p]) /* nothing is asked of what stays as it is */
            optimizer->rules[p] = update->parameters[p];
    set_flags(network, update, optimizer);
    const int has_accumulator = update->kind == FM_OPTIMIZER_adagrad || update->kind == FM_OPTIMIZER_ftrl;
    for (ptrdiff_t i = 0; has_accumulator && i < network->size; i++)
        network->slot[0][i] = (float)update->initial_accumulator;
    network->update = *update;
    network->update.parameters = optimizer->rules;
    fm_copy_parameters_to_slots(network);
    return FM_STATUS_OK;
}

void fm_free_update(fm_network *network) {
    free_orthogonal(network->optimizer.orthogonal, network->parameter_count);
    free(network->slot_memory);
    free(network->optimizer.memory);
    network->slot_memory = NULL;
    network->optimizer = (fm_optimizer){.memory = NULL};
    for (int s = 0; s < FM_SLOTS; s++)
        network->slot[s] = NULL;
}

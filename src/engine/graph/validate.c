/* Validates plans: what they name exists, and the nodes are in an order that can be executed. */
#include "engine/graph/validate.h"

#include <stdlib.h>

int fm_is_vector(const fm_plan *plan, int parameter, int64_t columns, int wanted) {
    if (parameter == -1)
        return !wanted;
    return fm_is_index(parameter, plan->parameter_count) && plan->shapes[parameter][0] == 1 && plan->shapes[parameter][1] == columns;
}

int fm_validate_same_width(const fm_plan *plan, const fm_node_spec *node) {
    const int64_t units = plan->widths[node->output];
    return plan->widths[node->input] == units && (!fm_reads_two(node->op) || plan->widths[node->other] == units);
}

/* True for a trainable parameter. */
static int is_trainable(const fm_plan *plan, int parameter) { return parameter >= 0 && (!plan->trainable || plan->trainable[parameter]); }

int fm_has_trainable_parameters(const fm_plan *plan, const fm_node_spec *node) {
    return fm_op_has(node->op, FM_TRAIT_PARAMETERS) && (is_trainable(plan, node->kernel) || is_trainable(plan, node->bias));
}

/* Whether the op, the buffers and the activation exist. */
static int are_known(const fm_plan *plan, const fm_node_spec *node) {
    return fm_is_index((int)node->op, FM_OP_COUNT) && fm_is_index(node->input, plan->buffer_count) &&
           fm_is_index(node->output, plan->buffer_count) && node->output != 0 && fm_is_index(node->activation, FM_ACTIVATION_COUNT) &&
           (!fm_reads_two(node->op) || fm_is_index(node->other, plan->buffer_count));
}

int fm_validate_plan(const fm_plan *plan) {
    if (plan->buffer_count < 1 || plan->node_count < 1 || plan->parameter_count < 0 || !fm_is_index(plan->output, plan->buffer_count))
        return 0;
    for (int b = 0; b < plan->buffer_count; b++)
        if (plan->widths[b] < 1 || plan->widths[b] > INT32_MAX)
            return 0;
    for (int p = 0; p < plan->parameter_count; p++)
        if (plan->shapes[p][0] < 1 || plan->shapes[p][1] < 1)
            return 0;
    for (int i = 0; i < plan->node_count; i++)
        if (!are_known(plan, &plan->nodes[i]))
            return 0;
    return 1;
}

/* -- how nodes are connected ------------------------------------------------------------------------------------------------------- */

enum { WRITTEN = 1, READ = 2, SHARED = 4, FIXED = 8 /* depends on no trainable parameter */ };

static int may_read(char *state, int shares) {
    if (!(*state & WRITTEN) || *state & READ || (!shares && *state & SHARED))
        return 0;
    *state |= shares ? SHARED : READ;
    return 1;
}

int fm_validate_graph(const fm_plan *plan) {
    char *state = calloc((size_t)plan->buffer_count, 1);
    if (!state)
        return -1;
    int sound = 1;
    state[0] = WRITTEN | FIXED;
    for (int i = 0; i < plan->node_count && sound; i++) {
        const fm_node_spec *node = &plan->nodes[i];
        sound = may_read(&state[node->input], fm_op_has(node->op, FM_TRAIT_SHARES_INPUT)) &&
                (!fm_reads_two(node->op) || may_read(&state[node->other], 0)) && !(state[node->output] & WRITTEN) &&
                (!fm_op_has(node->op, FM_TRAIT_STOPS_GRADIENT) || state[node->input] & FIXED);
        const int others = fm_reads_two(node->op) ? state[node->other] : FIXED;
        state[node->output] |= WRITTEN | (fm_has_trainable_parameters(plan, node) ? 0 : state[node->input] & others & FIXED);
    }
    sound = sound && plan->output != 0 && state[plan->output] & WRITTEN;
    free(state);
    return sound;
}

/* Folds read whole rows, unfolds produce them, and so do most nodes that compute across columns. */
int fm_count_rows(fm_network *network) {
    network->rows_per_sample[0] = network->max_rows_per_sample = 1;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node_spec *spec = &network->nodes[i].spec;
        const ptrdiff_t inputs = network->width[spec->input], units = network->width[spec->output],
                        rows_per_sample = network->rows_per_sample[spec->input];
        const int folds = spec->op == FM_OP_fold, unfolds = spec->op == FM_OP_unfold;
        if ((fm_op_has(spec->op, FM_TRAIT_NO_FOLD) && rows_per_sample != 1) || (unfolds && rows_per_sample * inputs != units) ||
            (fm_reads_two(spec->op) && network->rows_per_sample[spec->other] != rows_per_sample))
            return 0;
        network->rows_per_sample[spec->output] = folds ? inputs / units : unfolds ? 1 : rows_per_sample;
        if (network->rows_per_sample[spec->output] > network->max_rows_per_sample)
            network->max_rows_per_sample = network->rows_per_sample[spec->output];
    }
    return network->rows_per_sample[network->output] == 1;
}

/* Which plans make sense: nodes whose widths and parameters fit, connected in an order that can be run. */
#include "engine/graph/validate.h"

#include <math.h>
#include <stdlib.h>

int fm_reads_two(fm_op op) { return op >= FM_OP_ADD; }

int fm_is_arrangement(fm_op op) {
    return op == FM_OP_FOLD || op == FM_OP_UNFOLD || op == FM_OP_GATHER || op == FM_OP_AVERAGE_POOL || op == FM_OP_MAXIMUM_POOL ||
           op == FM_OP_DIVIDE || op == FM_OP_DOT;
}

static int is_index(int i, int count) { return i >= 0 && i < count; }

int fm_has_columns(fm_op op) { return op >= FM_OP_BATCH_NORMALIZATION && op <= FM_OP_PRELU; }

static int is_vector(const fm_plan *plan, int parameter, int64_t columns, int wanted) {
    if (parameter == -1)
        return !wanted;
    return is_index(parameter, plan->parameter_count) && plan->shapes[parameter][0] == 1 && plan->shapes[parameter][1] == columns;
}

int fm_has_kernel(fm_op op) { return fm_has_columns(op) || op == FM_OP_DENSE || op == FM_OP_EMBEDDING; }

/* True for a parameter that the optimizer moves. */
static int moves(const fm_plan *plan, int parameter) { return parameter >= 0 && (!plan->trainable || plan->trainable[parameter]); }

int fm_moves_parameters(const fm_plan *plan, const fm_node_spec *node) {
    return fm_has_kernel(node->op) && (moves(plan, node->kernel) || moves(plan, node->bias));
}

static int are_indices(const int32_t *indices, int64_t count, int64_t below) {
    for (int64_t i = 0; indices && i < count; i++)
        if (indices[i] < 0 || indices[i] >= below)
            return 0;
    return indices != NULL;
}

static int is_sound_dot(int64_t depth, int64_t inputs, int64_t others, int64_t units) {
    return depth > 0 && inputs % depth == 0 && others % depth == 0 && inputs / depth * (others / depth) == units;
}

static int is_sound_table(const fm_node_spec *node) {
    const fm_table *table = &node->table;
    const int looks_up = node->op == FM_OP_LOOKUP;
    if (table->entries < 0 || table->entries > INT32_MAX || (table->entries && (!table->keys || (looks_up && !table->values))))
        return 0;
    for (int64_t i = 0; i < table->entries; i++) {
        const float key = table->keys[i];
        if (!isfinite(key) || (i && (looks_up ? key <= table->keys[i - 1] : key < table->keys[i - 1])))
            return 0;
    }
    return table->buckets >= 0 && (float)table->buckets <= FM_WHOLE_BELOW && fabsf((float)table->first) <= FM_WHOLE_BELOW &&
           table->method >= FM_FLOORMOD && table->method <= FM_SIPHASH;
}

static int is_sound_node(const fm_plan *plan, const fm_node_spec *node) {
    if (!is_index(node->input, plan->buffer_count) || !is_index(node->output, plan->buffer_count) || node->output == 0 ||
        !is_index(node->activation, FM_ACTIVATION_COUNT))
        return 0;
    const int64_t inputs = plan->widths[node->input], units = plan->widths[node->output];
    if (node->op == FM_OP_DENSE) {
        if (!is_index(node->activation, FM_OUTPUT_ACTIVATION_COUNT) || !is_index(node->kernel, plan->parameter_count) ||
            plan->shapes[node->kernel][0] != inputs || plan->shapes[node->kernel][1] != units)
            return 0;
        return node->bias == -1 ||
               (is_index(node->bias, plan->parameter_count) && plan->shapes[node->bias][0] == 1 && plan->shapes[node->bias][1] == units);
    }
    if (node->op == FM_OP_SLICE)
        return node->input == 0 && node->column >= 0 && node->column <= inputs - units;
    if (node->op == FM_OP_FOLD || node->op == FM_OP_AVERAGE_POOL || node->op == FM_OP_MAXIMUM_POOL)
        return inputs % units == 0;
    if (node->op == FM_OP_UNFOLD)
        return units % inputs == 0;
    if (node->op == FM_OP_GATHER)
        return are_indices(node->gathered, units, inputs);
    if (fm_reads_two(node->op)) {
        if (!is_index(node->other, plan->buffer_count))
            return 0;
        if (node->op == FM_OP_DOT)
            return is_sound_dot(node->depth, inputs, plan->widths[node->other], units);
        const int64_t others = plan->widths[node->other];
        return node->op == FM_OP_CONCATENATE ? inputs + others == units : inputs == units && others == units;
    }
    if (node->op == FM_OP_GLU)
        return inputs == 2 * units;
    if (node->op == FM_OP_EMBEDDING)
        return is_index(node->kernel, plan->parameter_count) && node->bias == -1 && plan->shapes[node->kernel][1] * inputs == units;
    if (node->op == FM_OP_CATEGORY_ENCODING)
        return node->mode == FM_MODE_ONE_HOT ? units % inputs == 0 : node->mode == FM_MODE_MULTI_HOT || node->mode == FM_MODE_COUNT;
    if (fm_has_columns(node->op)) {
        const int wants_kernel = node->op == FM_OP_RESCALING || node->op == FM_OP_PRELU;
        const int wants_moments = node->op == FM_OP_BATCH_NORMALIZATION || node->op == FM_OP_NORMALIZATION;
        if (!is_vector(plan, node->kernel, units, wants_kernel) || !is_vector(plan, node->bias, units, 0) ||
            !is_vector(plan, node->mean, units, wants_moments) || !is_vector(plan, node->variance, units, wants_moments))
            return 0;
        if ((node->op == FM_OP_RESCALING || node->op == FM_OP_NORMALIZATION) && (moves(plan, node->kernel) || moves(plan, node->bias)))
            return 0; /* their gradient goes back to the input alone */
    }
    if ((node->op == FM_OP_LOOKUP || node->op == FM_OP_DISCRETIZATION) && !is_sound_table(node))
        return 0;
    const int drops = node->op == FM_OP_DROPOUT || node->op == FM_OP_ALPHA_DROPOUT || node->op == FM_OP_GAUSSIAN_DROPOUT;
    return inputs == units && (!drops || (node->rate >= 0.0f && node->rate < 1.0f));
}

int fm_is_sound_plan(const fm_plan *plan) {
    if (plan->buffer_count < 1 || plan->node_count < 1 || plan->parameter_count < 0 || !is_index(plan->output, plan->buffer_count))
        return 0;
    for (int b = 0; b < plan->buffer_count; b++)
        if (plan->widths[b] < 1 || plan->widths[b] > INT32_MAX)
            return 0;
    for (int p = 0; p < plan->parameter_count; p++)
        if (plan->shapes[p][0] < 1 || plan->shapes[p][1] < 1)
            return 0;
    for (int i = 0; i < plan->node_count; i++)
        if (!is_sound_node(plan, &plan->nodes[i]))
            return 0;
    return 1;
}

/* -- how nodes are connected ------------------------------------------------------------------------------------------------------- */

/* Branches and slices leave a buffer to others as well. */
static int shares_input(fm_op op) { return op == FM_OP_BRANCH || op == FM_OP_SLICE; }

/* No gradient goes through these to what they read. */
static int stops_gradient(fm_op op) {
    return op == FM_OP_EMBEDDING || op == FM_OP_CATEGORY_ENCODING || op == FM_OP_LOOKUP || op == FM_OP_DISCRETIZATION;
}

enum { WRITTEN = 1, READ = 2, SHARED = 4, FIXED = 8 /* depends on no parameter that moves */ };

static int may_read(char *state, int shares) {
    if (!(*state & WRITTEN) || *state & READ || (!shares && *state & SHARED))
        return 0;
    *state |= shares ? SHARED : READ;
    return 1;
}

int fm_is_sound_graph(const fm_plan *plan) {
    char *state = calloc((size_t)plan->buffer_count, 1);
    if (!state)
        return -1;
    int sound = 1;
    state[0] = WRITTEN | FIXED;
    for (int i = 0; i < plan->node_count && sound; i++) {
        const fm_node_spec *node = &plan->nodes[i];
        sound = may_read(&state[node->input], shares_input(node->op)) && (!fm_reads_two(node->op) || may_read(&state[node->other], 0)) &&
                !(state[node->output] & WRITTEN) && (!stops_gradient(node->op) || state[node->input] & FIXED);
        const int others = fm_reads_two(node->op) ? state[node->other] : FIXED;
        state[node->output] |= WRITTEN | (fm_moves_parameters(plan, node) ? 0 : state[node->input] & others & FIXED);
    }
    sound = sound && plan->output != 0 && state[plan->output] & WRITTEN;
    free(state);
    return sound;
}

/* Rows of each buffer for a row of the batch. 0 if they do not go together: whole rows are folded, parts unfolded to whole rows, and most
 * nodes that compute across columns read whole rows. */
int fm_count_rows(fm_network *network) {
    network->per[0] = network->most_per = 1;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node_spec *spec = &network->nodes[i].spec;
        const ptrdiff_t inputs = network->width[spec->input], units = network->width[spec->output], per = network->per[spec->input];
        const int folds = spec->op == FM_OP_FOLD, unfolds = spec->op == FM_OP_UNFOLD;
        const int wants_whole = folds || (fm_is_arrangement(spec->op) && !unfolds) || spec->op == FM_OP_ACTIVITY;
        if ((wants_whole && per != 1) || (unfolds && per * inputs != units) || (fm_reads_two(spec->op) && network->per[spec->other] != per))
            return 0;
        network->per[spec->output] = folds ? inputs / units : unfolds ? 1 : per;
        if (network->per[spec->output] > network->most_per)
            network->most_per = network->per[spec->output];
    }
    return network->per[network->output] == 1;
}

/* Creates and frees networks, and reads and writes their parameters and state. */
#include "engine/run/network.h"
#include "engine/base/arena.h"
#include "engine/data/sparse.h"
#include "engine/graph/constants.h"
#include "engine/graph/link.h"
#include "engine/graph/validate.h"
#include "engine/ops/ops.h"
#include "engine/optim/deferred.h"
#include "engine/optim/state.h"
#include "engine/run/fork.h"
#include "engine/run/workspace.h"

#include <stdlib.h>
#include <string.h>

/* -- the plan ---------------------------------------------------------------------------------------------------------------------- */

/* A row stride that does not map all rows to the same few cache sets. */
static ptrdiff_t padded_stride(ptrdiff_t width) {
    const ptrdiff_t stride = FM_ROUND_UP(width);
    return stride % 256 == 0 ? stride + FM_PANEL : stride;
}

/* The arrays of a network that have an element for each buffer, node or parameter, in one allocation. */
static fm_status allocate_tables(fm_network *network) {
    fm_layout layout = {0, 0};
    const size_t width = fm_layout_add(&layout, network->buffer_count, 1, sizeof(ptrdiff_t));
    const size_t stride = fm_layout_add(&layout, network->buffer_count, 1, sizeof(ptrdiff_t));
    const size_t rows_per_sample = fm_layout_add(&layout, network->buffer_count, 1, sizeof(ptrdiff_t));
    const size_t root = fm_layout_add(&layout, network->buffer_count, 1, sizeof(int));
    const size_t nodes = fm_layout_add(&layout, network->node_count, 1, sizeof(fm_node));
    const size_t shape = fm_layout_add(&layout, network->parameter_count, 2, sizeof(ptrdiff_t));
    const size_t offset = fm_layout_add(&layout, network->parameter_count, 1, sizeof(ptrdiff_t));
    const size_t trainable = fm_layout_add(&layout, network->parameter_count, 1, sizeof(uint8_t));
    char *memory = network->plan_memory = fm_layout_allocate(&layout);
    if (!memory)
        return FM_STATUS_NO_MEMORY;
    network->width = (ptrdiff_t *)(memory + width);
    network->stride = (ptrdiff_t *)(memory + stride);
    network->rows_per_sample = (ptrdiff_t *)(memory + rows_per_sample);
    network->root = (int *)(memory + root);
    network->nodes = (fm_node *)(memory + nodes);
    network->shape = (ptrdiff_t (*)[2])(memory + shape);
    network->offset = (ptrdiff_t *)(memory + offset);
    network->trainable = (uint8_t *)(memory + trainable);
    return FM_STATUS_OK;
}

/* Shapes and offsets of the parameters, and the array of their values, which start at zero. */
static fm_status allocate_parameters(fm_network *network, const fm_plan *plan) {
    fm_layout values = {0, 0};
    for (int p = 0; p < plan->parameter_count; p++) {
        const ptrdiff_t rows = network->shape[p][0] = (ptrdiff_t)plan->shapes[p][0];
        const ptrdiff_t units = network->shape[p][1] = (ptrdiff_t)plan->shapes[p][1];
        network->trainable[p] = plan->trainable ? plan->trainable[p] : 1;
        network->offset[p] = (ptrdiff_t)(fm_layout_add(&values, rows, FM_ROUND_UP(units), sizeof(float)) / sizeof(float));
    }
    network->size = (ptrdiff_t)(values.bytes / sizeof(float));
    network->value_memory = fm_layout_allocate(&values);
    network->value = (float *)network->value_memory;
    return network->value ? FM_STATUS_OK : FM_STATUS_NO_MEMORY;
}

static ptrdiff_t offset_of(const fm_network *network, int parameter) { return parameter < 0 ? -1 : network->offset[parameter]; }

static void set_node(fm_network *network, const fm_node_spec *spec, int index) {
    fm_node *node = &network->nodes[index];
    const int has_parameters = fm_op_has(spec->op, FM_TRAIT_PARAMETERS), has_moments = fm_op_has(spec->op, FM_TRAIT_VECTORS);
    node->spec = *spec;
    node->index = index;
    node->inputs = network->width[spec->input];
    node->units = network->width[spec->output];
    node->panels = FM_ROUND_UP(node->units) / FM_PANEL;
    node->kernel = offset_of(network, has_parameters ? spec->kernel : -1);
    node->bias = offset_of(network, has_parameters ? spec->bias : -1);
    node->mean = offset_of(network, has_moments ? spec->mean : -1);
    node->variance = offset_of(network, has_moments ? spec->variance : -1);
    node->kernel_trainable = node->kernel >= 0 && network->trainable[spec->kernel];
    node->bias_trainable = node->bias >= 0 && network->trainable[spec->bias];
}

/* From a validated plan to linked nodes. */
static fm_status build(fm_network *network, const fm_plan *plan) {
    fm_status status = allocate_tables(network);
    if (status != FM_STATUS_OK)
        return status;
    for (int b = 0; b < plan->buffer_count; b++) {
        network->width[b] = (ptrdiff_t)plan->widths[b];
        network->stride[b] = padded_stride(network->width[b]);
    }
    status = allocate_parameters(network, plan);
    if (status != FM_STATUS_OK)
        return status;
    for (int i = 0; i < plan->node_count; i++)
        set_node(network, &plan->nodes[i], i);
    if (!fm_count_rows(network))
        return FM_STATUS_BAD_PLAN;
    if (!fm_copy_constants(network))
        return FM_STATUS_NO_MEMORY;
    fm_link_nodes(network);
    return FM_STATUS_OK;
}

static void free_plan(fm_network *network) {
    free(network->value_memory);
    free(network->constant_memory);
    free(network->plan_memory);
    free(network);
}

fm_status fm_network_new(const fm_kernels *kernels, const fm_plan *plan, fm_network **result) {
    *result = NULL;
    if (!fm_validate_plan(plan) || !fm_validate_nodes(plan))
        return FM_STATUS_BAD_PLAN;
    const int valid = fm_validate_graph(plan);
    if (valid != 1)
        return valid ? FM_STATUS_NO_MEMORY : FM_STATUS_BAD_PLAN;
    fm_network *network = calloc(1, sizeof *network);
    if (!network)
        return FM_STATUS_NO_MEMORY;
    network->kernels = kernels;
    network->buffer_count = plan->buffer_count;
    network->node_count = plan->node_count;
    network->parameter_count = plan->parameter_count;
    network->output = plan->output;
    network->state.learning_rate = 0.001;
    network->state.skip_below = -1.0;
    const fm_status status = build(network, plan);
    if (status != FM_STATUS_OK) {
        free_plan(network);
        return status;
    }
    fm_lock_init(&network->lock);
    fm_register_network(network);
    *result = network;
    return FM_STATUS_OK;
}

void fm_network_free(fm_network *network) {
    if (!network)
        return;
    fm_unregister_network(network);
    fm_workspace_free(network->batch[0]);
    fm_workspace_free(network->batch[1]);
    for (int i = 0; i < FM_SPARE_WORKSPACES; i++)
        fm_workspace_free(network->spare[i]);
    free(network->terms);
    fm_free_deferred(network);
    free(network->gradient_memory);
    fm_free_update(network);
    fm_lock_destroy(&network->lock);
    free_plan(network);
}

/* -- parameters -------------------------------------------------------------------------------------------------------------------- */

static float *array_of(fm_network *network, fm_array which) {
    if (which == FM_ARRAY_VALUE)
        return network->value;
    if (which == FM_ARRAY_GRADIENT)
        return network->gradient;
    return (int)which - FM_ARRAY_SLOT_0 < FM_SLOTS ? network->slot[which - FM_ARRAY_SLOT_0] : NULL;
}

/* Copies between [rows][columns] and panels [columns / 16][rows][16]: to panels if `source` is given, else to `matrix`. */
static void copy_panels(ptrdiff_t rows, ptrdiff_t columns, float *panels, float *matrix, const float *source) {
    for (ptrdiff_t c = 0; c < columns; c += FM_PANEL) {
        const size_t whole = sizeof(float) * FM_PANEL, bytes = sizeof(float) * (size_t)(columns - c < FM_PANEL ? columns - c : FM_PANEL);
        for (ptrdiff_t r = 0; r < rows; r++) {
            float *in_panel = panels + c * rows + r * FM_PANEL, *to = source ? in_panel : matrix + r * columns + c;
            const float *from = source ? source + r * columns + c : in_panel;
            if (bytes == whole) /* a constant size, which needs no call */
                memcpy(to, from, whole);
            else
                memcpy(to, from, bytes);
        }
    }
}

/* The shape of one parameter in an array: its own, or that of Adafactor's means. */
static void shape_in(const fm_network *network, fm_array which, int parameter, ptrdiff_t shape[2]) {
    shape[0] = network->shape[parameter][0];
    shape[1] = network->shape[parameter][1];
    if (network->update.kind != FM_OPTIMIZER_adafactor || (which != FM_ARRAY_SLOT_0 && which != FM_ARRAY_SLOT_0 + 1))
        return;
    if (which == FM_ARRAY_SLOT_0)
        shape[1] = shape[0];
    shape[0] = 1;
}

/* Copies one parameter's array to or from the caller's memory. */
static int copy_locked(fm_network *network, fm_array which, int parameter, float *to, const float *from) {
    float *array = array_of(network, which);
    ptrdiff_t shape[2];
    shape_in(network, which, parameter, shape);
    if (array)
        copy_panels(shape[0], shape[1], array + network->offset[parameter], to, from);
    return array != NULL;
}

void fm_copy_gradients(fm_network *network, float *const *to) {
    for (int p = 0; p < network->parameter_count; p++)
        if (to[p])
            copy_locked(network, FM_ARRAY_GRADIENT, p, to[p], NULL);
}

void fm_set_gradients(fm_network *network, const float *const *from) {
    memset(network->gradient, 0, (size_t)network->size * sizeof *network->gradient);
    for (int p = 0; p < network->parameter_count; p++)
        if (from[p])
            copy_locked(network, FM_ARRAY_GRADIENT, p, NULL, from[p]);
}

static fm_status copy_parameter(fm_network *network, uint64_t task, fm_array which, int parameter, float *to, const float *from) {
    if (parameter < 0 || parameter >= network->parameter_count)
        return FM_STATUS_BAD_PLAN;
    const fm_access access = from ? FM_ACCESS_WRITE : FM_ACCESS_FLUSH;
    fm_status status = fm_lock_acquire(&network->lock, access);
    if (status != FM_STATUS_OK)
        return status;
    fm_flush(network);
    if (which >= FM_ARRAY_SLOT_0 && task != network->task)
        status = FM_STATUS_STALE;
    else if (!copy_locked(network, which, parameter, to, from))
        status = FM_STATUS_NOT_READY;
    fm_lock_release(&network->lock, access);
    return status;
}

fm_status fm_network_get(fm_network *network, uint64_t task, fm_array which, int parameter, float *values) {
    return copy_parameter(network, task, which, parameter, values, NULL);
}

fm_status fm_network_set(fm_network *network, uint64_t task, fm_array which, int parameter, const float *values) {
    return copy_parameter(network, task, which, parameter, NULL, values);
}

/* The floats of the first `count` parameters of both; −1 if there are fewer, or their shapes differ. */
static ptrdiff_t shared_floats(const fm_network *a, const fm_network *b, int count) {
    if (count < 0 || count > a->parameter_count || count > b->parameter_count)
        return -1;
    for (int p = 0; p < count; p++)
        if (a->shape[p][0] != b->shape[p][0] || a->shape[p][1] != b->shape[p][1])
            return -1;
    return count < a->parameter_count ? a->offset[count] : a->size;
}

fm_status fm_network_blend(fm_network *network, fm_network *source, int count, float share) {
    const ptrdiff_t n = shared_floats(network, source, count);
    if (n < 0)
        return FM_STATUS_BAD_PLAN;
    float *copy = malloc((size_t)n * sizeof *copy + 1); /* so that no call holds two locks, which another might take the other way around */
    if (!copy)
        return FM_STATUS_NO_MEMORY;
    fm_status status = fm_lock_acquire(&source->lock, FM_ACCESS_FLUSH);
    if (status == FM_STATUS_OK) {
        fm_flush(source);
        memcpy(copy, source->value, (size_t)n * sizeof *copy);
        fm_lock_release(&source->lock, FM_ACCESS_FLUSH);
        status = fm_lock_acquire(&network->lock, FM_ACCESS_WRITE);
    }
    if (status == FM_STATUS_OK) {
        fm_flush(network);
        const fm_combine blend = {n, copy, network->value, share, 1.0f - share, network->value};
        network->kernels->combine(&blend);
        fm_lock_release(&network->lock, FM_ACCESS_WRITE);
    }
    free(copy);
    return status;
}

/* -- numbers ----------------------------------------------------------------------------------------------------------------------- */

/* Fields of the state are read without the lock, so writers store each atomically. */
#define LOAD(from, to) __atomic_load(&(from), &(to), __ATOMIC_RELAXED)

fm_state fm_network_state(const fm_network *network) {
    fm_state state;
    LOAD(network->state.seed, state.seed);
    LOAD(network->state.iterations, state.iterations);
    LOAD(network->state.learning_rate, state.learning_rate);
    LOAD(network->state.skip_below, state.skip_below);
    LOAD(network->state.unfused, state.unfused);
    return state;
}

int fm_network_is_mine(const fm_network *network) { return fm_lock_is_own(&network->lock); }

fm_status fm_network_set_state(fm_network *network, fm_field field, fm_state state) {
    const fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_WRITE);
    if (status != FM_STATUS_OK)
        return status;
    switch (field) {
    case FM_FIELD_SEED:
        FM_PUBLISH(network->state.seed, state.seed);
        break;
    case FM_FIELD_ITERATIONS:
        FM_PUBLISH(network->state.iterations, state.iterations);
        break;
    case FM_FIELD_LEARNING_RATE:
        FM_PUBLISH(network->state.learning_rate, state.learning_rate);
        break;
    case FM_FIELD_SKIP_BELOW:
        FM_PUBLISH(network->state.skip_below, state.skip_below);
        break;
    case FM_FIELD_UNFUSED:
        FM_PUBLISH(network->state.unfused, state.unfused);
        break;
    }
    fm_lock_release(&network->lock, FM_ACCESS_WRITE);
    return FM_STATUS_OK;
}

fm_status fm_network_flush(fm_network *network) {
    const fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_FLUSH);
    if (status != FM_STATUS_OK)
        return status;
    fm_flush(network);
    fm_lock_release(&network->lock, FM_ACCESS_FLUSH);
    return FM_STATUS_OK;
}

double fm_network_skip_below(const fm_network *network) {
    const double threshold = fm_network_state(network).skip_below;
    return threshold >= 0.0 ? threshold : fm_sparse_threshold(network, 0);
}

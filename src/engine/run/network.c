/* A network's life: plan to nodes, parameters in and out of their panels, its numbers, and memory for batches. */
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 * 1024 * 1024)

/* -- sizes ------------------------------------------------------------------------------------------------------------------------- */

size_t fm_layout_add(fm_layout *layout, ptrdiff_t rows, ptrdiff_t columns, size_t size) {
    const size_t at = layout->bytes;
    size_t bytes;
    if (rows < 0 || columns < 0 || __builtin_mul_overflow((size_t)rows, (size_t)columns, &bytes) ||
        __builtin_mul_overflow(bytes, size, &bytes) || __builtin_add_overflow(bytes, (size_t)(FM_ALIGNMENT - 1), &bytes) ||
        __builtin_add_overflow(at, bytes / FM_ALIGNMENT * FM_ALIGNMENT, &layout->bytes) || layout->bytes > PTRDIFF_MAX)
        layout->overflow = 1;
    return at;
}

char *fm_layout_allocate(const fm_layout *layout) {
    if (layout->overflow)
        return NULL;
    size_t bytes = layout->bytes ? layout->bytes : FM_ALIGNMENT;
    const size_t alignment = bytes < HUGE_PAGE ? FM_ALIGNMENT : HUGE_PAGE;
    if (bytes > PTRDIFF_MAX - HUGE_PAGE)
        return NULL;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    char *memory = aligned_alloc(alignment, bytes);
    if (!memory)
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (alignment == HUGE_PAGE)
        madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: without it large products wait for address translation */
#endif
    memset(memory, 0, bytes);
    return memory;
}

/* A row length whose rows do not all fall into the same few cache sets. */
static ptrdiff_t padded_stride(ptrdiff_t width) {
    const ptrdiff_t stride = FM_ROUND_UP(width);
    return stride % 256 == 0 ? stride + FM_PANEL : stride;
}

/* -- the plan ---------------------------------------------------------------------------------------------------------------------- */

static int is_index(int i, int count) { return i >= 0 && i < count; }

/* True for a node whose parameters are vectors with an element for each column. */
static int has_columns(fm_op op) { return op >= FM_OP_BATCH_NORMALIZATION && op <= FM_OP_PRELU; }

static int is_vector(const fm_plan *plan, int parameter, int64_t columns, int wanted) {
    if (parameter == -1)
        return !wanted;
    return is_index(parameter, plan->parameter_count) && plan->shapes[parameter][0] == 1 && plan->shapes[parameter][1] == columns;
}

static int has_kernel(fm_op op) { return has_columns(op) || op == FM_OP_DENSE || op == FM_OP_EMBEDDING; }

/* True for a parameter that the optimizer moves. */
static int moves(const fm_plan *plan, int parameter) { return parameter >= 0 && (!plan->trainable || plan->trainable[parameter]); }

int fm_moves_parameters(const fm_plan *plan, const fm_node_spec *node) {
    return has_kernel(node->op) && (moves(plan, node->kernel) || moves(plan, node->bias));
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

/* Rows of each buffer for a row of the batch. 0 if they do not go together: whole rows are folded, parts unfolded to whole rows, and most
 * nodes that compute across columns read whole rows. */
static int count_rows(fm_network *network) {
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

/* The columns that gathers read, in memory of the network's own. 0 if there is none. */
static int copy_gathered(fm_network *network) {
    ptrdiff_t total = 0;
    for (int i = 0; i < network->node_count; i++)
        total += network->nodes[i].spec.op == FM_OP_GATHER ? network->nodes[i].units : 0;
    int32_t *to = network->gathered = malloc((size_t)(total + 1) * sizeof *to);
    for (int i = 0; to && i < network->node_count; i++) {
        fm_node *node = &network->nodes[i];
        if (node->spec.op == FM_OP_GATHER) {
            memcpy(to, node->spec.gathered, (size_t)node->units * sizeof *to);
            node->spec.gathered = to;
            to += node->units;
        }
    }
    return network->gathered != NULL;
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
    if (has_columns(node->op)) {
        const int wants_kernel = node->op == FM_OP_RESCALING || node->op == FM_OP_PRELU;
        const int wants_moments = node->op == FM_OP_BATCH_NORMALIZATION || node->op == FM_OP_NORMALIZATION;
        if (!is_vector(plan, node->kernel, units, wants_kernel) || !is_vector(plan, node->bias, units, 0) ||
            !is_vector(plan, node->mean, units, wants_moments) || !is_vector(plan, node->variance, units, wants_moments))
            return 0;
        if ((node->op == FM_OP_RESCALING || node->op == FM_OP_NORMALIZATION) && (moves(plan, node->kernel) || moves(plan, node->bias)))
            return 0; /* their gradient goes back to the input alone */
    }
    if ((node->op == FM_OP_LOOKUP || node->op == FM_OP_DISCRETIZATION) && !fm_is_sound_table(node))
        return 0;
    const int drops = node->op == FM_OP_DROPOUT || node->op == FM_OP_ALPHA_DROPOUT || node->op == FM_OP_GAUSSIAN_DROPOUT;
    return inputs == units && (!drops || (node->rate >= 0.0f && node->rate < 1.0f));
}

static int is_sound_plan(const fm_plan *plan) {
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

static ptrdiff_t offset_of(const fm_network *network, int parameter) { return parameter < 0 ? -1 : network->offset[parameter]; }

fm_status fm_network_new(const fm_kernels *kernels, const fm_plan *plan, fm_network **result) {
    *result = NULL;
    if (!is_sound_plan(plan))
        return FM_BAD_PLAN;
    const int sound_graph = fm_is_sound_graph(plan);
    if (sound_graph != 1)
        return sound_graph ? FM_NO_MEMORY : FM_BAD_PLAN;
    fm_network *network = calloc(1, sizeof *network);
    if (!network)
        return FM_NO_MEMORY;
    network->kernels = kernels;
    network->buffer_count = plan->buffer_count;
    network->node_count = plan->node_count;
    network->parameter_count = plan->parameter_count;
    network->output = plan->output;
    network->state.learning_rate = 0.001;
    network->state.skip_below = -1.0;

    fm_layout layout = {0, 0};
    const size_t width = fm_layout_add(&layout, plan->buffer_count, 1, sizeof(ptrdiff_t));
    const size_t stride = fm_layout_add(&layout, plan->buffer_count, 1, sizeof(ptrdiff_t));
    const size_t per = fm_layout_add(&layout, plan->buffer_count, 1, sizeof(ptrdiff_t));
    const size_t root = fm_layout_add(&layout, plan->buffer_count, 1, sizeof(int));
    const size_t nodes = fm_layout_add(&layout, plan->node_count, 1, sizeof(fm_node));
    const size_t shape = fm_layout_add(&layout, plan->parameter_count, 2, sizeof(ptrdiff_t));
    const size_t offset = fm_layout_add(&layout, plan->parameter_count, 1, sizeof(ptrdiff_t));
    const size_t trainable = fm_layout_add(&layout, plan->parameter_count, 1, sizeof(uint8_t));
    char *memory = network->plan_memory = fm_layout_allocate(&layout);
    if (!memory) {
        free(network);
        return FM_NO_MEMORY;
    }
    network->width = (ptrdiff_t *)(memory + width);
    network->stride = (ptrdiff_t *)(memory + stride);
    network->per = (ptrdiff_t *)(memory + per);
    network->root = (int *)(memory + root);
    network->nodes = (fm_node *)(memory + nodes);
    network->shape = (ptrdiff_t (*)[2])(memory + shape);
    network->offset = (ptrdiff_t *)(memory + offset);
    network->trainable = (uint8_t *)(memory + trainable);

    for (int b = 0; b < plan->buffer_count; b++) {
        network->width[b] = (ptrdiff_t)plan->widths[b];
        network->stride[b] = padded_stride(network->width[b]);
    }
    fm_layout values = {0, 0};
    for (int p = 0; p < plan->parameter_count; p++) {
        network->shape[p][0] = (ptrdiff_t)plan->shapes[p][0];
        network->shape[p][1] = (ptrdiff_t)plan->shapes[p][1];
        network->trainable[p] = plan->trainable ? plan->trainable[p] : 1;
        network->offset[p] =
            (ptrdiff_t)(fm_layout_add(&values, network->shape[p][0], FM_ROUND_UP(network->shape[p][1]), sizeof(float)) / sizeof(float));
    }
    network->size = (ptrdiff_t)(values.bytes / sizeof(float));
    network->value_memory = fm_layout_allocate(&values);
    if (!network->value_memory) {
        free(network->plan_memory);
        free(network);
        return FM_NO_MEMORY;
    }
    network->value = (float *)network->value_memory;

    for (int i = 0; i < plan->node_count; i++) {
        fm_node *node = &network->nodes[i];
        node->spec = plan->nodes[i];
        node->inputs = network->width[node->spec.input];
        node->units = network->width[node->spec.output];
        node->panels = FM_ROUND_UP(node->units) / FM_PANEL;
        const int has_moments = has_columns(node->spec.op);
        node->kernel = offset_of(network, has_kernel(node->spec.op) ? node->spec.kernel : -1);
        node->bias = offset_of(network, has_kernel(node->spec.op) ? node->spec.bias : -1);
        node->mean = offset_of(network, has_moments ? node->spec.mean : -1);
        node->variance = offset_of(network, has_moments ? node->spec.variance : -1);
        node->kernel_moves = node->kernel >= 0 && network->trainable[node->spec.kernel];
        node->bias_moves = node->bias >= 0 && network->trainable[node->spec.bias];
    }
    const int counted = count_rows(network);
    if (!counted || !copy_gathered(network) || !fm_copy_tables(network)) {
        free(network->gathered);
        free(network->value_memory);
        free(network->plan_memory);
        free(network);
        return counted ? FM_NO_MEMORY : FM_BAD_PLAN;
    }
    fm_link_nodes(network);

    fm_lock_init(&network->lock);
    fm_enlist(network);
    *result = network;
    return FM_OK;
}

void fm_network_free(fm_network *network) {
    if (!network)
        return;
    fm_strike_out(network);
    fm_workspace_free(network->batch[0]);
    fm_workspace_free(network->batch[1]);
    for (int i = 0; i < FM_SPARE_WORKSPACES; i++)
        fm_workspace_free(network->spare[i]);
    free(network->terms);
    fm_forget_lazy(network);
    free(network->gradient_memory);
    fm_free_update(network);
    free(network->value_memory);
    free(network->gathered);
    free(network->tables);
    free(network->plan_memory);
    fm_lock_destroy(&network->lock);
    free(network);
}

/* -- parameters -------------------------------------------------------------------------------------------------------------------- */

static float *array_of(fm_network *network, fm_array which) {
    if (which == FM_VALUE)
        return network->value;
    if (which == FM_GRADIENT)
        return network->gradient;
    return (int)which - FM_SLOT_0 < FM_SLOTS ? network->slot[which - FM_SLOT_0] : NULL;
}

/* Copies between [rows][columns] and the panels [columns / 16][rows][16]; one of `from_panels`, `to_panels` is given. */
static void copy_panels(ptrdiff_t rows, ptrdiff_t columns, float *panels, float *matrix, const float *source) {
    for (ptrdiff_t c = 0; c < columns; c += FM_PANEL) {
        const size_t bytes = sizeof(float) * (size_t)(columns - c < FM_PANEL ? columns - c : FM_PANEL);
        for (ptrdiff_t r = 0; r < rows; r++) {
            float *in_panel = panels + c * rows + r * FM_PANEL;
            if (source)
                memcpy(in_panel, source + r * columns + c, bytes);
            else
                memcpy(matrix + r * columns + c, in_panel, bytes);
        }
    }
}

/* What stands in an array for one parameter: as much as it has itself, or one row. */
static void shape_in(const fm_network *network, fm_array which, int parameter, ptrdiff_t shape[2]) {
    shape[0] = network->shape[parameter][0];
    shape[1] = network->shape[parameter][1];
    if (network->update.kind != FM_OPTIMIZER_adafactor || (which != FM_SLOT_0 && which != FM_SLOT_0 + 1))
        return;
    if (which == FM_SLOT_0)
        shape[1] = shape[0];
    shape[0] = 1;
}

/* One parameter's array, to or from the caller's memory. */
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
            copy_locked(network, FM_GRADIENT, p, to[p], NULL);
}

static fm_status copy_parameter(fm_network *network, uint64_t task, fm_array which, int parameter, float *to, const float *from) {
    if (!is_index(parameter, network->parameter_count))
        return FM_BAD_PLAN;
    const fm_access access = from ? FM_CHANGE : FM_LOOK;
    fm_status status = fm_lock_acquire(&network->lock, access);
    if (status != FM_OK)
        return status;
    fm_settle(network);
    if (which >= FM_SLOT_0 && task != network->task)
        status = FM_STALE;
    else if (!copy_locked(network, which, parameter, to, from))
        status = FM_NOT_READY;
    fm_lock_release(&network->lock, access);
    return status;
}

fm_status fm_network_get(fm_network *network, uint64_t task, fm_array which, int parameter, float *values) {
    return copy_parameter(network, task, which, parameter, values, NULL);
}

fm_status fm_network_set(fm_network *network, uint64_t task, fm_array which, int parameter, const float *values) {
    return copy_parameter(network, task, which, parameter, NULL, values);
}

/* -- numbers ----------------------------------------------------------------------------------------------------------------------- */

/* They are read without the lock, so those who write them while they hold it do so at once. */
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
    const fm_status status = fm_lock_acquire(&network->lock, FM_CHANGE);
    if (status != FM_OK)
        return status;
    switch (field) {
    case FM_SEED:
        FM_PUBLISH(network->state.seed, state.seed);
        break;
    case FM_ITERATIONS:
        FM_PUBLISH(network->state.iterations, state.iterations);
        break;
    case FM_LEARNING_RATE:
        FM_PUBLISH(network->state.learning_rate, state.learning_rate);
        break;
    case FM_SKIP_BELOW:
        FM_PUBLISH(network->state.skip_below, state.skip_below);
        break;
    case FM_UNFUSED:
        FM_PUBLISH(network->state.unfused, state.unfused);
        break;
    }
    fm_lock_release(&network->lock, FM_CHANGE);
    return FM_OK;
}

fm_status fm_need_gradient(fm_network *network) {
    if (network->gradient)
        return FM_OK;
    fm_layout layout = {0, 0};
    fm_layout_add(&layout, network->size, 1, sizeof(float));
    network->gradient_memory = fm_layout_allocate(&layout);
    network->gradient = (float *)network->gradient_memory;
    return network->gradient ? FM_OK : FM_NO_MEMORY;
}

/* -- memory for a batch ------------------------------------------------------------------------------------------------------------ */

/* The next array of a workspace; NULL while only counting. */
static void *take(fm_layout *layout, char *memory, ptrdiff_t rows, ptrdiff_t columns, size_t size) {
    const size_t at = fm_layout_add(layout, rows, columns, size);
    return memory ? memory + at : NULL;
}

/* Rows of a buffer and of its gradient: no more than asked for, but where a dense node hands its input's gradient down whole strips, which
 * reads the values and writes the gradient 16 rows at a time. */
static ptrdiff_t rows_of(const fm_network *network, const fm_workspace *w, int buffer) {
    for (int i = 0; i < network->node_count && (w->room & FM_ROOM_FOR_GRADIENTS); i++) {
        const fm_node *node = &network->nodes[i];
        if (node->spec.op == FM_OP_DENSE && node->trained_below && network->root[node->spec.input] == network->root[buffer])
            return FM_ROUND_UP(fm_capacity(network, w, buffer));
    }
    return fm_capacity(network, w, buffer);
}

/* What a node that trains keeps. */
static void carve_noise(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory, int index) {
    const fm_node *node = &network->nodes[index];
    const ptrdiff_t rows = fm_capacity(network, w, node->spec.output);
    const ptrdiff_t kept = fm_normalize_memo(network, node, FM_ROUND_UP(rows)) + fm_embed_memo(network, node);
    const int drops = node->spec.op == FM_OP_DROPOUT || node->spec.op == FM_OP_ALPHA_DROPOUT || node->spec.op == FM_OP_GAUSSIAN_DROPOUT;
    float *mask = drops ? take(layout, memory, rows, network->stride[node->spec.output], sizeof(float)) : NULL;
    float *memo = take(layout, memory, kept, 1, sizeof(float));
    if (!memory)
        return;
    w->mask[index] = mask;
    w->memo[index] = memo;
}

/* The arrays that hold the gradient of a node's output. */
static void carve_gradient(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory, int index) {
    const fm_node *node = &network->nodes[index];
    const int b = node->spec.output, is_dense = node->spec.op == FM_OP_DENSE;
    const ptrdiff_t stride = network->stride[b];
    if (node->first_back) { /* what it shows has its gradient already */
        if (memory)
            w->grad[b] = w->grad[node->spec.input];
        return;
    }
    const int rows_are_panels = is_dense && !node->in_panels && stride == FM_PANEL;
    float *grad = is_dense && node->in_panels ? NULL : take(layout, memory, rows_of(network, w, b), stride, sizeof(float));
    float *panels =
        is_dense && !rows_are_panels ? take(layout, memory, fm_panel_floats(network, w, node), node->panels, sizeof(float)) : NULL;
    float *strips = NULL;
    if (is_dense && node->trained_below)
        strips = take(layout, memory, FM_ROUND_UP(fm_capacity(network, w, b)), node->panels * FM_PANEL, sizeof(float));
    if (!memory)
        return;
    w->grad[b] = grad;
    w->panels[b] = rows_are_panels ? grad : panels;
    w->strips[b] = strips;
}

/* What losses and metrics read and give. */
static void carve_targets(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory) {
    const ptrdiff_t rows = FM_ROUND_UP(w->rows); /* of arrays with a number for each row */
    w->targets = take(layout, memory, network->term_count, 1, sizeof(fm_targets));
    for (int t = 0; t < network->term_count; t++) {
        const fm_objective *o = &network->terms[t].objective;
        const ptrdiff_t stride = network->stride[o->output], per = network->per[o->output], own = FM_ROUND_UP(w->rows * per);
        const fm_targets targets = {
            .y = take(layout, memory, w->rows * per, stride, sizeof(float)),
            .smoothed = fm_smooths(o) ? take(layout, memory, w->rows * per, stride, sizeof(float)) : NULL,
            .labels = take(layout, memory, own, 1, sizeof(int32_t)),
            .kept = o->ignores ? take(layout, memory, own, 1, sizeof(int32_t)) : NULL,
            .counted = o->ignores ? take(layout, memory, own, 1, sizeof(float)) : NULL,
            .weight = take(layout, memory, own, 1, sizeof(float)),
            .loss = take(layout, memory, own, 1, sizeof(float)),
            .metric = take(layout, memory, own, o->metric_count, sizeof(float)),
        };
        if (memory)
            w->targets[t] = targets;
    }
    w->activity = take(layout, memory, rows, 1, sizeof(float));
    w->scratch = take(layout, memory, w->workers, FM_BLOCK_PANELS * FM_SCRATCH_PANEL, sizeof(float));
}

/* Lays a workspace out; with `memory` NULL only counts. */
static void carve(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory) {
    w->value = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->grad = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->panels = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->strips = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->mask = take(layout, memory, network->node_count, 1, sizeof(float *));
    w->memo = take(layout, memory, network->node_count, 1, sizeof(float *));
    for (int b = 1; b < network->buffer_count; b++) { /* the input's: fm_need_input */
        float *value = network->root[b] == b ? take(layout, memory, rows_of(network, w, b), network->stride[b], sizeof(float)) : NULL;
        if (memory)
            w->value[b] = value;
    }
    for (int i = 0; i < network->node_count && memory; i++) {
        const fm_node_spec *spec = &network->nodes[i].spec;
        if (spec->op == FM_OP_BRANCH)
            w->value[spec->output] = w->value[spec->input];
    }
    for (int i = 0; i < network->node_count && (w->room & FM_ROOM_FOR_NOISE); i++)
        carve_noise(network, w, layout, memory, i);
    if (w->room & FM_ROOM_FOR_TARGETS)
        carve_targets(network, w, layout, memory);
    if (!(w->room & FM_ROOM_FOR_GRADIENTS))
        return;
    for (int i = 0; i < network->node_count; i++)
        carve_gradient(network, w, layout, memory, i);
    w->packed_floats = fm_packed_floats(network, FM_ROUND_UP(w->rows * network->most_per));
    w->packed = take(layout, memory, w->workers, w->packed_floats, sizeof(float));
}

fm_workspace *fm_workspace_new(const fm_network *network, ptrdiff_t rows, int room, int workers) {
    if (rows > PTRDIFF_MAX / FM_BLOCK_ROWS / network->most_per - FM_PANEL)
        return NULL;
    fm_workspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace)
        return NULL;
    *workspace = (fm_workspace){.rows = rows, .workers = workers, .room = room};
    fm_workspace counted = *workspace;
    fm_layout layout = {0, 0};
    carve(network, &counted, &layout, NULL);
    workspace->bytes = layout.bytes;
    workspace->memory = fm_layout_allocate(&layout);
    if (!workspace->memory) {
        free(workspace);
        return NULL;
    }
    fm_layout again = {0, 0};
    carve(network, workspace, &again, workspace->memory);
    return workspace;
}

fm_status fm_need_input(const fm_network *network, fm_workspace *workspace) {
    if (workspace->input_memory)
        return FM_OK;
    fm_layout layout = {0, 0};
    fm_layout_add(&layout, rows_of(network, workspace, 0), network->stride[0], sizeof(float));
    workspace->input_memory = fm_layout_allocate(&layout);
    for (int b = 0; b < network->buffer_count; b++)
        if (network->root[b] == 0)
            workspace->value[b] = (float *)workspace->input_memory;
    return workspace->input_memory ? FM_OK : FM_NO_MEMORY;
}

void fm_workspace_free(fm_workspace *workspace) {
    if (!workspace)
        return;
    fm_free_lists(workspace);
    free(workspace->input_memory);
    free(workspace->memory);
    free(workspace);
}

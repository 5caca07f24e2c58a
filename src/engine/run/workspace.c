/* Memory for a batch: values, gradients, what nodes save for backward, targets. One allocation, laid out twice: first to compute its
 * size, then to set pointers. */
#include "engine/run/workspace.h"
#include "engine/base/arena.h"
#include "engine/data/sparse.h"
#include "engine/graph/terms.h"
#include "engine/ops/gemm.h"
#include "engine/ops/ops.h"

#include <stdlib.h>

/* The next array of a workspace; NULL while only counting. */
static void *take(fm_layout *layout, char *memory, ptrdiff_t rows, ptrdiff_t columns, size_t size) {
    const size_t at = fm_layout_add(layout, rows, columns, size);
    return memory ? memory + at : NULL;
}

/* Rows of a buffer and of its gradient: exactly the capacity, or rounded up to 16 where the dX epilogue of a dense node reads the values
 * and writes the gradient 16 rows at a time. */
static ptrdiff_t rows_of(const fm_network *network, const fm_workspace *w, int buffer) {
    for (int i = 0; i < network->node_count && (w->room & FM_ROOM_FOR_GRADIENTS); i++) {
        const fm_node *node = &network->nodes[i];
        if (node->spec.op != FM_OP_dense || !node->needs_input_grad)
            continue;
        const int saved = fm_is_fused_activation(node->producer) ? node->producer->spec.input : node->spec.input;
        if (network->root[node->spec.input] == network->root[buffer] || saved == buffer)
            return FM_ROUND_UP(fm_capacity(network, w, buffer));
    }
    return fm_capacity(network, w, buffer);
}

/* What a node saves for backward. */
static void carve_saved(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory, int index) {
    const fm_node *node = &network->nodes[index];
    if (!fm_ops[node->spec.op].saved)
        return;
    const fm_extent extent = fm_ops[node->spec.op].saved(network, node, fm_capacity(network, w, node->spec.output));
    float *saved = take(layout, memory, extent.rows, extent.columns, sizeof(float));
    if (memory)
        w->saved[index] = saved;
}

/* The arrays that hold the gradient of a node's output. */
static void carve_gradient(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory, int index) {
    const fm_node *node = &network->nodes[index];
    const int b = node->spec.output, is_dense = node->spec.op == FM_OP_dense;
    const ptrdiff_t stride = network->stride[b];
    if (node->aliases_input_grad) { /* its input's gradient has the memory */
        if (memory)
            w->grad[b] = w->grad[node->spec.input];
        return;
    }
    const int rows_are_panels = is_dense && !node->grad_in_panels && stride == FM_PANEL;
    float *grad = is_dense && node->grad_in_panels ? NULL : take(layout, memory, rows_of(network, w, b), stride, sizeof(float));
    float *grad_panels =
        is_dense && !rows_are_panels ? take(layout, memory, fm_grad_panel_floats(network, w, node), node->panels, sizeof(float)) : NULL;
    float *grad_t_panels = NULL;
    if (is_dense && node->needs_input_grad)
        grad_t_panels = take(layout, memory, FM_ROUND_UP(fm_capacity(network, w, b)), node->panels * FM_PANEL, sizeof(float));
    if (!memory)
        return;
    w->grad[b] = grad;
    w->grad_panels[b] = rows_are_panels ? grad : grad_panels;
    w->grad_t_panels[b] = grad_t_panels;
}

/* Targets and results of losses and metrics. */
static void carve_targets(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory) {
    const ptrdiff_t rows = FM_ROUND_UP(w->rows); /* of arrays with one element per row */
    w->targets = take(layout, memory, network->term_count, 1, sizeof(fm_target_arrays));
    for (int t = 0; t < network->term_count; t++) {
        const fm_objective *o = &network->terms[t].objective;
        const ptrdiff_t stride = network->stride[o->output], rows_per_sample = network->rows_per_sample[o->output],
                        own = FM_ROUND_UP(w->rows * rows_per_sample);
        const fm_target_arrays targets = {
            .y = take(layout, memory, w->rows * rows_per_sample, network->terms[t].y_row, sizeof(float)),
            .smoothed = fm_uses_smoothing(o) ? take(layout, memory, w->rows * rows_per_sample, stride, sizeof(float)) : NULL,
            .labels = take(layout, memory, own, 1, sizeof(int32_t)),
            .kept = o->ignores ? take(layout, memory, own, 1, sizeof(int32_t)) : NULL,
            .counted = o->ignores ? take(layout, memory, own, 1, sizeof(float)) : NULL,
            .weight = take(layout, memory, own, 1, sizeof(float)),
            .loss = take(layout, memory, own, 1, sizeof(float)),
            .metric = take(layout, memory, own, o->metric_count, sizeof(float)),
            .pairs = fm_is_pair_loss(o->loss) ? take(layout, memory, own, 3, sizeof(float)) : NULL,
        };
        if (memory)
            w->targets[t] = targets;
    }
    w->activity = take(layout, memory, rows, 1, sizeof(float));
    w->scratch = take(layout, memory, w->workers, FM_NC_PANELS * FM_SCRATCH_PANEL, sizeof(float));
}

/* Lays out a workspace; with `memory` NULL it only computes the size. */
static void carve(const fm_network *network, fm_workspace *w, fm_layout *layout, char *memory) {
    w->value = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->grad = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->grad_panels = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->grad_t_panels = take(layout, memory, network->buffer_count, 1, sizeof(float *));
    w->saved = take(layout, memory, network->node_count, 1, sizeof(float *));
    for (int b = 1; b < network->buffer_count; b++) { /* that of the input: fm_ensure_input */
        float *value = network->root[b] == b ? take(layout, memory, rows_of(network, w, b), network->stride[b], sizeof(float)) : NULL;
        if (memory)
            w->value[b] = value;
    }
    for (int i = 0; i < network->node_count && memory; i++) {
        const fm_node_spec *spec = &network->nodes[i].spec;
        if (spec->op == FM_OP_branch)
            w->value[spec->output] = w->value[spec->input];
    }
    for (int i = 0; i < network->node_count && (w->room & FM_ROOM_FOR_NOISE); i++)
        carve_saved(network, w, layout, memory, i);
    if (w->room & FM_ROOM_FOR_TARGETS)
        carve_targets(network, w, layout, memory);
    if (!(w->room & FM_ROOM_FOR_GRADIENTS))
        return;
    for (int i = 0; i < network->node_count; i++)
        carve_gradient(network, w, layout, memory, i);
    w->packed_floats = fm_packed_floats(network, FM_ROUND_UP(w->rows * network->max_rows_per_sample));
    w->packed = take(layout, memory, w->workers, w->packed_floats, sizeof(float));
}

fm_workspace *fm_workspace_new(const fm_network *network, ptrdiff_t rows, int room, int workers) {
    if (rows > PTRDIFF_MAX / FM_MC / network->max_rows_per_sample - FM_PANEL)
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

fm_status fm_ensure_input(const fm_network *network, fm_workspace *workspace) {
    if (workspace->input_memory)
        return FM_STATUS_OK;
    fm_layout layout = {0, 0};
    fm_layout_add(&layout, rows_of(network, workspace, 0), network->stride[0], sizeof(float));
    workspace->input_memory = fm_layout_allocate(&layout);
    for (int b = 0; b < network->buffer_count; b++)
        if (network->root[b] == 0)
            workspace->value[b] = (float *)workspace->input_memory;
    return workspace->input_memory ? FM_STATUS_OK : FM_STATUS_NO_MEMORY;
}

void fm_workspace_free(fm_workspace *workspace) {
    if (!workspace)
        return;
    fm_free_sparse(workspace);
    free(workspace->input_memory);
    free(workspace->memory);
    free(workspace);
}

fm_status fm_ensure_gradient(fm_network *network) {
    if (network->gradient)
        return FM_STATUS_OK;
    fm_layout layout = {0, 0};
    fm_layout_add(&layout, network->size, 1, sizeof(float));
    network->gradient_memory = fm_layout_allocate(&layout);
    network->gradient = (float *)network->gradient_memory;
    return network->gradient ? FM_STATUS_OK : FM_STATUS_NO_MEMORY;
}

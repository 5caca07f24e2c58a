/* Normalizations, Rescaling and PReLU: nodes that shift and scale columns or rows.
 *
 * Batch norm in training takes its moments over all rows, so each worker has columns of its own; what needs no such sum is divided like
 * the output of a dense node. Gradients of parameters are sums over rows and are always divided by columns. No sum is split, so no bit
 * depends on the number of threads.
 */
#include "engine/ops/norm.h"
#include "engine/graph/validate.h"

#include <string.h>

/* Gradients of a node's vectors are computed this many columns at a time, in the worker's scratch: gamma's, then beta's. */
#define GRADIENT_COLUMNS (FM_NC_PANELS * FM_SCRATCH_PANEL / 2)

static const float *vector_at(const fm_network *network, ptrdiff_t offset, ptrdiff_t column) {
    return offset < 0 ? NULL : network->value + offset + column;
}

static int is_by_row(const fm_node *node) { return node->spec.op == FM_OP_layer_normalization || node->spec.op == FM_OP_rms_normalization; }

int fm_uses_batch_moments(const fm_pass *pass, const fm_node *node) {
    return node->spec.op == FM_OP_batch_normalization && node->spec.mode != FM_MODE_INFERENCE && fm_in_training_mode(pass, node);
}

int fm_validate_norm(const fm_plan *plan, const fm_node_spec *node) {
    const int64_t units = plan->widths[node->output];
    const int wants_kernel = node->op == FM_OP_rescaling || node->op == FM_OP_prelu;
    const int wants_moments = node->op == FM_OP_batch_normalization || node->op == FM_OP_normalization;
    /* The parameters of these get no gradient. */
    const int stands = node->op == FM_OP_rescaling || node->op == FM_OP_normalization;
    return fm_validate_same_width(plan, node) && fm_is_vector(plan, node->kernel, units, wants_kernel) &&
           fm_is_vector(plan, node->bias, units, 0) && fm_is_vector(plan, node->mean, units, wants_moments) &&
           fm_is_vector(plan, node->variance, units, wants_moments) && !(stands && fm_has_trainable_parameters(plan, node));
}

fm_extent fm_layer_norm_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows) { /* means, then scales */
    (void)network, (void)node;
    return (fm_extent){2, FM_ROUND_UP(rows)};
}

fm_extent fm_batch_norm_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows) { /* means, then variances */
    (void)rows;
    return (fm_extent){2, network->stride[node->spec.output]};
}

/* This worker's columns, of which it reads all rows. */
static fm_range shard_columns(const fm_pass *pass, const fm_node *node) {
    const fm_range panels = fm_partition(node->panels, pass->worker);
    return (fm_range){panels.begin * FM_PANEL, panels.end * FM_PANEL};
}

static int kind_of(const fm_node *node) {
    switch (node->spec.op) {
    case FM_OP_rescaling:
        return FM_NORMALIZE_SCALE;
    case FM_OP_normalization:
        return node->spec.mode == FM_MODE_INVERT ? FM_NORMALIZE_INVERSE : FM_NORMALIZE_STANDARD;
    default:
        return FM_NORMALIZE_BATCH;
    }
}

/* Shifts and scales a shard by the node's parameters. */
static void batch_norm_shard(const fm_pass *pass, const fm_node *node, fm_output_shard shard, const float *x, const float *mean,
                             const float *variance, int shifts, float *out) {
    const fm_network *network = pass->network;
    const ptrdiff_t x_row = network->stride[node->spec.input], out_row = network->stride[node->spec.output];
    const ptrdiff_t c = shard.panels.begin * FM_PANEL;
    if (shard.rows.begin >= shard.rows.end || shard.panels.begin >= shard.panels.end)
        return;
    const fm_batch_norm arguments = {
        .rows = shard.rows.end - shard.rows.begin,
        .cols = (shard.panels.end - shard.panels.begin) * FM_PANEL,
        .x = x + shard.rows.begin * x_row + c,
        .x_row = x_row,
        .mean = shifts && mean ? mean + c : NULL,
        .variance = variance ? variance + c : NULL,
        .gamma = vector_at(network, node->kernel, c),
        .beta = shifts ? vector_at(network, node->bias, c) : NULL,
        .epsilon = node->spec.epsilon,
        .kind = kind_of(node),
        .out = out + shard.rows.begin * out_row + c,
        .out_row = out_row,
    };
    network->kernels->batch_norm(&arguments);
}

static void batch_norm_forward(const fm_pass *pass, const fm_node *node, const float *x, float *out) {
    const fm_network *network = pass->network;
    float *mean = pass->workspace->saved[node->index], *variance = mean + network->stride[node->spec.output];
    const fm_range columns = shard_columns(pass, node);
    if (columns.begin >= columns.end)
        return;
    const fm_column_moments moments = {
        .rows = fm_rows(pass, node->spec.output),
        .cols = columns.end - columns.begin,
        .x = x + columns.begin,
        .x_row = network->stride[node->spec.input],
        .mean = mean + columns.begin,
        .variance = variance + columns.begin,
    };
    network->kernels->column_moments(&moments);
    const fm_output_shard shard = {.rows = {0, fm_rows(pass, node->spec.output)},
                                   .panels = {columns.begin / FM_PANEL, columns.end / FM_PANEL}};
    batch_norm_shard(pass, node, shard, x, mean, variance, 1, out);
}

static void layer_norm_forward(const fm_pass *pass, const fm_node *node, const float *x, float *out) {
    const fm_network *network = pass->network;
    const fm_range rows = fm_partition_rows(fm_rows(pass, node->spec.output), pass->worker);
    if (rows.begin >= rows.end)
        return;
    const ptrdiff_t x_row = network->stride[node->spec.input], out_row = network->stride[node->spec.output];
    float *saved = pass->training ? pass->workspace->saved[node->index] : NULL;
    const fm_layer_norm arguments = {
        .rows = rows.end - rows.begin,
        .cols = node->units,
        .x = x + rows.begin * x_row,
        .x_row = x_row,
        .gamma = vector_at(network, node->kernel, 0),
        .beta = vector_at(network, node->bias, 0),
        .epsilon = node->spec.epsilon,
        .centered = node->spec.op == FM_OP_layer_normalization,
        .out = out + rows.begin * out_row,
        .out_row = out_row,
        .mean = saved ? saved + rows.begin : NULL,
        .scale = saved ? saved + fm_room(pass, node->spec.output) + rows.begin : NULL,
    };
    network->kernels->layer_norm(&arguments);
}

static fm_prelu prelu(const fm_pass *pass, const fm_node *node, fm_output_shard shard, const float *x, float *out) {
    const ptrdiff_t row = pass->network->stride[node->spec.input], c = shard.panels.begin * FM_PANEL; /* the same for x and out */
    return (fm_prelu){
        .rows = shard.rows.end - shard.rows.begin,
        .cols = (shard.panels.end - shard.panels.begin) * FM_PANEL,
        .x = x + shard.rows.begin * row + c,
        .x_row = row,
        .alpha = vector_at(pass->network, node->kernel, c),
        .out = out ? out + shard.rows.begin * row + c : NULL,
        .out_row = row,
    };
}

void fm_norm_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const float *x = pass->workspace->value[node->spec.input];
    float *out = pass->workspace->value[node->spec.output];
    if (fm_uses_batch_moments(pass, node)) {
        batch_norm_forward(pass, node, x, out);
        return;
    }
    if (is_by_row(node)) {
        layer_norm_forward(pass, node, x, out);
        return;
    }
    const fm_output_shard shard = fm_partition_output(fm_rows(pass, node->spec.output), node->panels, pass->worker);
    if (node->spec.op == FM_OP_prelu) {
        const fm_prelu arguments = prelu(pass, node, shard, x, out);
        network->kernels->prelu(&arguments);
        return;
    }
    batch_norm_shard(pass, node, shard, x, vector_at(network, node->mean, 0), vector_at(network, node->variance, 0), 1, out);
}

/* -- backward --------------------------------------------------------------------------------------------------------------------- */

static void step_vectors(const fm_pass *pass, const fm_node *node, const fm_step *step, ptrdiff_t column, ptrdiff_t n) {
    float *gradient = fm_scratch(pass);
    if (node->kernel_trainable)
        fm_apply_step(pass->network, step, node->kernel + column, n, gradient);
    if (node->bias_trainable)
        fm_apply_step(pass->network, step, node->bias + column, n, gradient + GRADIENT_COLUMNS);
}

/* Backward of some columns of batch norm. If the moments are not the batch's own, the gradient of x is only scaled. */
static void batch_norm_backward(const fm_pass *pass, const fm_node *node, ptrdiff_t c, ptrdiff_t n) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const ptrdiff_t x_row = network->stride[node->spec.input], grad_row = network->stride[node->spec.output];
    const int own = fm_uses_batch_moments(pass, node);
    const float *mean = own ? w->saved[node->index] : vector_at(network, node->mean, 0);
    const float *variance = own ? mean + grad_row : vector_at(network, node->variance, 0);
    if (!own && node->needs_input_grad)
        batch_norm_shard(pass, node,
                         (fm_output_shard){.rows = {0, fm_rows(pass, node->spec.output)}, .panels = {c / FM_PANEL, (c + n) / FM_PANEL}},
                         w->grad[node->spec.output], NULL, variance, 0, w->grad[node->spec.input]);
    const fm_batch_norm_backward arguments = {
        .rows = fm_rows(pass, node->spec.output),
        .cols = n,
        .x = w->value[node->spec.input] + c,
        .x_row = x_row,
        .grad = w->grad[node->spec.output] + c,
        .grad_row = grad_row,
        .mean = mean + c,
        .variance = variance + c,
        .gamma = vector_at(network, node->kernel, c),
        .epsilon = node->spec.epsilon,
        .out = own && node->needs_input_grad ? w->grad[node->spec.input] + c : NULL,
        .out_row = x_row,
        .dgamma = fm_scratch(pass),
        .dbeta = fm_scratch(pass) + GRADIENT_COLUMNS,
    };
    network->kernels->batch_norm_backward(&arguments);
}

static void prelu_backward(const fm_pass *pass, const fm_node *node, ptrdiff_t c, ptrdiff_t n) {
    const fm_workspace *w = pass->workspace;
    const fm_output_shard shard = {.rows = {0, fm_rows(pass, node->spec.output)}, .panels = {c / FM_PANEL, (c + n) / FM_PANEL}};
    fm_prelu arguments = prelu(pass, node, shard, w->value[node->spec.input], node->needs_input_grad ? w->grad[node->spec.input] : NULL);
    arguments.grad = w->grad[node->spec.output] + c;
    arguments.grad_row = pass->network->stride[node->spec.output];
    arguments.dalpha = fm_scratch(pass);
    pass->network->kernels->prelu_backward(&arguments);
}

/* Gradients of layer norm's parameters, for some columns. */
static void layer_norm_parameter_gradients(const fm_pass *pass, const fm_node *node, ptrdiff_t c, ptrdiff_t n) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const fm_layer_norm_parameter_gradients arguments = {
        .rows = fm_rows(pass, node->spec.output),
        .cols = n,
        .x = w->value[node->spec.input] + c,
        .x_row = network->stride[node->spec.input],
        .grad = w->grad[node->spec.output] + c,
        .grad_row = network->stride[node->spec.output],
        .mean = w->saved[node->index],
        .scale = w->saved[node->index] + fm_room(pass, node->spec.output),
        .dgamma = fm_scratch(pass),
        .dbeta = fm_scratch(pass) + GRADIENT_COLUMNS,
    };
    network->kernels->layer_norm_parameter_gradients(&arguments);
}

static void layer_norm_backward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const fm_range rows = fm_partition_rows(fm_rows(pass, node->spec.output), pass->worker);
    const ptrdiff_t x_row = network->stride[node->spec.input], grad_row = network->stride[node->spec.output];
    if (rows.begin >= rows.end)
        return;
    const fm_layer_norm_backward arguments = {
        .rows = rows.end - rows.begin,
        .cols = node->units,
        .x = w->value[node->spec.input] + rows.begin * x_row,
        .x_row = x_row,
        .grad = w->grad[node->spec.output] + rows.begin * grad_row,
        .grad_row = grad_row,
        .gamma = vector_at(network, node->kernel, 0),
        .mean = w->saved[node->index] + rows.begin,
        .scale = w->saved[node->index] + fm_room(pass, node->spec.output) + rows.begin,
        .centered = node->spec.op == FM_OP_layer_normalization,
        .out = w->grad[node->spec.input] + rows.begin * x_row,
        .out_row = x_row,
    };
    network->kernels->layer_norm_backward(&arguments);
}

void fm_norm_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const int csr = is_by_row(node);
    if (!csr && node->spec.op != FM_OP_prelu && !fm_uses_batch_moments(pass, node) && !node->kernel_trainable && !node->bias_trainable) {
        /* Only a scale by untrained parameters: the gradient is scaled, too. */
        const fm_output_shard shard = fm_partition_output(fm_rows(pass, node->spec.output), node->panels, pass->worker);
        batch_norm_shard(pass, node, shard, w->grad[node->spec.output], NULL, vector_at(network, node->variance, 0), 0,
                         w->grad[node->spec.input]);
        return;
    }
    if (csr && node->needs_input_grad) {
        layer_norm_backward(pass, node);
        fm_team_barrier(pass->worker); /* all workers read gamma for dX, so it may change only now */
    }
    const fm_range columns = shard_columns(pass, node);
    for (ptrdiff_t c = columns.begin; c < columns.end; c += GRADIENT_COLUMNS) {
        const ptrdiff_t left = columns.end - c, n = left < GRADIENT_COLUMNS ? left : GRADIENT_COLUMNS;
        if (csr)
            layer_norm_parameter_gradients(pass, node, c, n);
        else if (node->spec.op == FM_OP_prelu)
            prelu_backward(pass, node, c, n);
        else
            batch_norm_backward(pass, node, c, n);
        step_vectors(pass, node, step, c, n);
    }
}

/* -- moving statistics ------------------------------------------------------------------------------------------------------------- */

static void move(float *moving, const float *batch, ptrdiff_t n, double momentum) {
    const float keep = (float)momentum, rest = (float)(1.0 - momentum);
    for (ptrdiff_t i = 0; i < n; i++)
        moving[i] = moving[i] * keep + batch[i] * rest;
}

void fm_update_moving_statistics(const fm_pass *pass) {
    const fm_network *network = pass->network;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (!fm_uses_batch_moments(pass, node))
            continue;
        const float *mean = pass->workspace->saved[i], *variance = mean + network->stride[node->spec.output];
        const fm_range columns = shard_columns(pass, node);
        const ptrdiff_t c = columns.begin, n = columns.end - columns.begin;
        if (n > 0) {
            move(network->value + node->mean + c, mean + c, n, node->spec.momentum);
            move(network->value + node->variance + c, variance + c, n, node->spec.momentum);
        }
    }
}

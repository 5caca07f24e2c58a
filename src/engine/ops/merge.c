/* Nodes that merge and split tensors: branches, slices, sums, differences, products, maxima, concatenations, gates.
 *
 * Each worker takes the same rows in forward and backward. The pads of a gradient stay +0: they are written by kernels that map zeros to
 * zeros, or not at all.
 */
#include "engine/ops/merge.h"
#include "engine/graph/validate.h"

#include <string.h>

/* Copies columns of some rows between buffers. */
static void copy_columns(fm_row_shard rows, ptrdiff_t columns, const float *from, ptrdiff_t from_row, float *to, ptrdiff_t to_row) {
    for (ptrdiff_t r = rows.first_row; r < rows.first_row + rows.rows; r++)
        memcpy(to + r * to_row, from + r * from_row, (size_t)columns * sizeof *to);
}

static void apply(void (*kernel)(const fm_elementwise *), fm_row_shard shard, const float *x, const float *y, float alpha, float *out) {
    const fm_elementwise arguments = {
        .n = shard.n, .x = x + shard.begin, .y = y ? y + shard.begin : NULL, .out = out + shard.begin, .alpha = alpha};
    kernel(&arguments);
}

/* Forward, or backward if there is a gradient. */
static void glu(const fm_pass *pass, const fm_node *node, fm_row_shard shard, const float *x, const float *grad, float *to) {
    const fm_network *network = pass->network;
    const ptrdiff_t x_row = network->stride[node->spec.input], row = network->stride[node->spec.output];
    const fm_glu arguments = {
        .rows = shard.rows,
        .cols = node->units,
        .x = x + shard.first_row * x_row,
        .x_row = x_row,
        .grad = grad ? grad + shard.begin : NULL,
        .grad_row = row,
        .out = to + shard.first_row * (grad ? x_row : row),
        .out_row = grad ? x_row : row,
    };
    (grad ? network->kernels->glu_backward : network->kernels->glu)(&arguments);
}

int fm_validate_slice(const fm_plan *plan, const fm_node_spec *node) {
    return node->input == 0 && node->column >= 0 && node->column <= plan->widths[0] - plan->widths[node->output];
}

int fm_validate_glu(const fm_plan *plan, const fm_node_spec *node) { return plan->widths[node->input] == 2 * plan->widths[node->output]; }

int fm_validate_concatenate(const fm_plan *plan, const fm_node_spec *node) {
    return plan->widths[node->input] + plan->widths[node->other] == plan->widths[node->output];
}

void fm_merge_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_kernels *kernels = network->kernels;
    const fm_node_spec *spec = &node->spec;
    const fm_row_shard shard = fm_shard_buffer(pass, spec->output);
    const float *x = pass->workspace->value[spec->input];
    const float *y = fm_reads_two(spec->op) ? pass->workspace->value[spec->other] : NULL;
    float *out = pass->workspace->value[spec->output];
    const ptrdiff_t x_row = network->stride[spec->input], out_row = network->stride[spec->output];
    switch (spec->op) {
    case FM_OP_slice:
        copy_columns(shard, node->units, x + spec->column, x_row, out, out_row);
        break;
    case FM_OP_glu:
        glu(pass, node, shard, x, NULL, out);
        break;
    case FM_OP_scale:
        apply(kernels->scale, shard, x, NULL, spec->alpha, out);
        break;
    case FM_OP_add:
        apply(kernels->add, shard, x, y, 0.0f, out);
        break;
    case FM_OP_subtract:
        apply(kernels->subtract, shard, x, y, 0.0f, out);
        break;
    case FM_OP_multiply:
        apply(kernels->multiply, shard, x, y, 0.0f, out);
        break;
    case FM_OP_maximum:
        apply(kernels->maximum, shard, x, y, 0.0f, out);
        break;
    case FM_OP_minimum:
        apply(kernels->minimum, shard, x, y, 0.0f, out);
        break;
    case FM_OP_concatenate:
        copy_columns(shard, node->inputs, x, x_row, out, out_row);
        copy_columns(shard, network->width[spec->other], y, network->stride[spec->other], out + node->inputs, out_row);
        break;
    default:
        break;
    }
}

static void copy_gradient(fm_row_shard shard, const float *grad, float *input_grad) {
    memcpy(input_grad + shard.begin, grad + shard.begin, (size_t)shard.n * sizeof *grad);
}

static void maximum_backward(const fm_pass *pass, fm_row_shard shard, const float *x, const float *y, const float *grad,
                             float *input_grad) {
    const fm_maximum_backward arguments = {shard.n, x + shard.begin, y + shard.begin, grad + shard.begin, input_grad + shard.begin};
    pass->network->kernels->maximum_backward(&arguments);
}

/* The gradient of the input, or of the other input: `x` are the values of the one, `y` those of the other. */
static void backward_to(const fm_pass *pass, const fm_node *node, int is_other, const float *x, const float *y, float *input_grad) {
    const fm_network *network = pass->network;
    const fm_kernels *kernels = network->kernels;
    const fm_node_spec *spec = &node->spec;
    const fm_row_shard shard = fm_shard_buffer(pass, spec->output);
    const float *grad = pass->workspace->grad[spec->output];
    const int to = is_other ? spec->other : spec->input;
    switch (spec->op) {
    case FM_OP_branch:
        if (!node->aliases_input_grad)
            apply(kernels->add, shard, input_grad, grad, 0.0f, input_grad);
        break;
    case FM_OP_glu:
        glu(pass, node, shard, x, grad, input_grad);
        break;
    case FM_OP_scale:
        apply(kernels->scale, shard, grad, NULL, spec->alpha, input_grad);
        break;
    case FM_OP_subtract:
        apply(kernels->scale, shard, grad, NULL, is_other ? -1.0f : 1.0f, input_grad);
        break;
    case FM_OP_multiply:
        apply(kernels->multiply, shard, grad, y, 0.0f, input_grad);
        break;
    case FM_OP_maximum:
        maximum_backward(pass, shard, x, y, grad, input_grad);
        break;
    case FM_OP_minimum: /* min(x, y) has the gradient of max with the inputs exchanged */
        maximum_backward(pass, shard, y, x, grad, input_grad);
        break;
    case FM_OP_concatenate:
        copy_columns(shard, network->width[to], grad + (is_other ? node->inputs : 0), network->stride[spec->output], input_grad,
                     network->stride[to]);
        break;
    default:
        copy_gradient(shard, grad, input_grad);
        break;
    }
}

void fm_merge_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    const fm_workspace *w = pass->workspace;
    const int input = node->spec.input, other = fm_reads_two(node->spec.op) ? node->spec.other : input;
    if (node->needs_input_grad)
        backward_to(pass, node, 0, w->value[input], w->value[other], w->grad[input]);
    if (node->needs_other_grad)
        backward_to(pass, node, 1, w->value[other], w->value[input], w->grad[other]);
}

/* Periodic embeddings: each number becomes sines and cosines of its multiples by coefficients, which are trained.
 *
 * Forward is divided by rows. Backward is divided by columns of the input: each worker sums the gradients of its coefficients over all
 * rows, so no bit depends on the number of workers, and then updates them, which no other worker reads.
 */
#include "engine/ops/periodic.h"
#include "engine/graph/validate.h"

int fm_validate_periodic(const fm_plan *plan, const fm_node_spec *node) {
    const int64_t inputs = plan->widths[node->input], units = plan->widths[node->output];
    return fm_is_index(node->kernel, plan->parameter_count) && node->bias == -1 && units % (2 * inputs) == 0 &&
           plan->shapes[node->kernel][0] == inputs && plan->shapes[node->kernel][1] == units / (2 * inputs);
}

static ptrdiff_t frequencies_of(const fm_node *node) { return node->units / (2 * node->inputs); }

fm_extent fm_periodic_saved(const fm_network *network, const fm_node *node,
                            ptrdiff_t rows) { /* the gradient of the coefficients, as panels */
    (void)network, (void)rows;
    return (fm_extent){node->inputs, FM_ROUND_UP(frequencies_of(node))};
}

/* The kernels' arguments for some rows and columns of the input. */
static fm_periodic arguments_of(const fm_pass *pass, const fm_node *node, fm_range rows, fm_range columns) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const ptrdiff_t x_row = network->stride[node->spec.input], out_row = network->stride[node->spec.output];
    return (fm_periodic){
        .rows = rows.end - rows.begin,
        .inputs = columns.end - columns.begin,
        .frequencies = frequencies_of(node),
        .x = w->value[node->spec.input] + rows.begin * x_row + columns.begin,
        .x_row = x_row,
        .c = network->value + node->kernel + columns.begin * FM_PANEL,
        .panel = node->inputs * FM_PANEL,
        .out = w->value[node->spec.output] + rows.begin * out_row + columns.begin * 2 * frequencies_of(node),
        .out_row = out_row,
    };
}

void fm_periodic_forward(const fm_pass *pass, const fm_node *node) {
    const fm_range rows = fm_partition_rows(fm_rows(pass, node->spec.output), pass->worker);
    const fm_periodic arguments = arguments_of(pass, node, rows, (fm_range){0, node->inputs});
    pass->network->kernels->periodic(&arguments);
}

void fm_periodic_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const fm_range rows = {0, fm_rows(pass, node->spec.output)}, columns = fm_partition(node->inputs, pass->worker);
    const ptrdiff_t begin = columns.begin * FM_PANEL, n = columns.end * FM_PANEL - begin;
    if (n <= 0)
        return;
    fm_periodic arguments = arguments_of(pass, node, rows, columns);
    arguments.grad_row = network->stride[node->spec.output];
    arguments.grad = w->grad[node->spec.output] + columns.begin * 2 * arguments.frequencies;
    arguments.dc = w->saved[node->index] + begin;
    if (node->needs_input_grad) {
        arguments.dx = w->grad[node->spec.input] + columns.begin;
        arguments.dx_row = network->stride[node->spec.input];
    }
    network->kernels->periodic_backward(&arguments);
    for (ptrdiff_t j = 0; j < arguments.frequencies && node->kernel_trainable; j += FM_PANEL) {
        const ptrdiff_t at = j * node->inputs + begin;
        fm_apply_step(network, step, node->kernel + at, n, w->saved[node->index] + at);
    }
}

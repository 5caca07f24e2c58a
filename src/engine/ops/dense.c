/* Dense layers: the products of forward and backward, and the layouts in which these read a gradient. */
#include "engine/ops/dense.h"
#include "engine/graph/validate.h"
#include "engine/ops/dense_sparse.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gemm.h"

int fm_validate_dense(const fm_plan *plan, const fm_node_spec *node) {
    return node->activation < FM_OUTPUT_ACTIVATION_COUNT && fm_is_index(node->kernel, plan->parameter_count) &&
           plan->shapes[node->kernel][0] == plan->widths[node->input] && plan->shapes[node->kernel][1] == plan->widths[node->output] &&
           fm_is_vector(plan, node->bias, plan->widths[node->output], 0);
}

void fm_dense_forward(const fm_pass *pass, const fm_node *node) {
    if (fm_reads_csr(pass, node))
        fm_spmm_forward(pass, node);
    else
        fm_gemm_forward(pass, node);
}

/* Copies rows of a gradient to panels of 16 columns. */
static void copy_to_panels(const fm_pass *pass, const fm_node *node, fm_row_shard shard, const float *grad) {
    const ptrdiff_t stride = pass->network->stride[node->spec.output];
    for (ptrdiff_t panel = 0; panel < node->panels; panel++) {
        float *to = pass->workspace->grad_panels[node->spec.output] + panel * fm_grad_panel_floats(pass->network, pass->workspace, node) +
                    shard.first_row * FM_PANEL;
        for (ptrdiff_t row = 0; row < shard.rows; row++)
            memcpy(to + row * FM_PANEL, grad + row * stride + panel * FM_PANEL, FM_PANEL * sizeof *to);
    }
}

/* The gradient before the activation, where no dense node above has computed it in its epilogue: multiplied by the activation's
 * derivative, as panels, and transposed for dX. Each worker takes whole rows, so no barrier is needed between the three. */
static void prepare_gradient(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_workspace *workspace = pass->workspace;
    const int output = node->spec.output;
    const fm_row_shard shard = fm_shard_buffer(pass, output);
    float *grad = workspace->grad[output];
    if (shard.rows == 0)
        return;
    if (node->spec.activation != FM_ACTIVATION_linear) {
        const fm_elementwise activation_backward = fm_elementwise_of(node, shard, workspace->value[output], grad, grad);
        network->kernels->activation_backward(&activation_backward);
    }
    if (workspace->grad_panels[output] != grad)
        copy_to_panels(pass, node, shard, grad + shard.begin);
    if (fm_reads_grad_t(pass, node)) {
        const fm_transpose transpose = {
            .rows = node->units,
            .cols = shard.rows,
            .in = grad + shard.begin,
            .in_row = network->stride[output],
            .out = workspace->grad_t_panels[output] + shard.first_row / FM_PANEL * fm_grad_t_panel_floats(node),
            .out_row = FM_PANEL,
            .out_panel = fm_grad_t_panel_floats(node),
        };
        network->kernels->transpose(&transpose);
    }
}

int fm_dense_is_rowwise(const fm_pass *pass, const fm_node *node) {
    return fm_partition_output(fm_rows(pass, node->spec.output), node->panels, pass->worker).by_rows;
}

int fm_dense_is_backward_rowwise(const fm_pass *pass, const fm_node *node) {
    return !node->needs_input_grad || !fm_partition_input_gradient(pass, node).by_rows;
}

void fm_dense_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    if (!node->grad_in_panels) {
        prepare_gradient(pass, node);
        if (!fm_dense_is_backward_rowwise(pass, node))
            fm_team_barrier(pass->worker);
    }
    if (node->needs_input_grad)
        fm_gemm_input_gradient(pass, node);
}

void fm_dense_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    fm_gemm_bias_update(pass, node, step);
    if (!node->kernel_trainable)
        return;
    if (fm_reads_csr(pass, node))
        fm_spmm_kernel_update(pass, node, step);
    else
        fm_gemm_kernel_update(pass, node, step);
}

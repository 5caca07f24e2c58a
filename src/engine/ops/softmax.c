/* Activations over the columns of a row: softmax, its logarithm, sparsemax. */
#include "engine/ops/softmax.h"

/* Forward; or backward, if the gradient of the output is given, and then x is the output. */
static void softmax(const fm_pass *pass, const fm_node *node, const float *x, const float *grad, float *out) {
    const fm_row_shard shard = fm_shard_buffer(pass, node->spec.output);
    if (shard.rows == 0)
        return;
    const fm_softmax arguments = {
        .rows = shard.rows,
        .cols = node->units,
        .stride = pass->network->stride[node->spec.output],
        .x = x + shard.begin,
        .grad = grad ? grad + shard.begin : NULL,
        .out = out + shard.begin,
    };
    const fm_kernels *kernels = pass->network->kernels;
    if (node->spec.op == FM_OP_softmax)
        (grad ? kernels->softmax_backward : kernels->softmax)(&arguments);
    else if (node->spec.op == FM_OP_log_softmax)
        (grad ? kernels->log_softmax_backward : kernels->log_softmax)(&arguments);
    else
        (grad ? kernels->sparsemax_backward : kernels->sparsemax)(&arguments);
}

void fm_softmax_forward(const fm_pass *pass, const fm_node *node) {
    float *const *value = pass->workspace->value;
    softmax(pass, node, value[node->spec.input], NULL, value[node->spec.output]);
}

void fm_softmax_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    const fm_workspace *w = pass->workspace;
    softmax(pass, node, w->value[node->spec.output], w->grad[node->spec.output], w->grad[node->spec.input]);
}

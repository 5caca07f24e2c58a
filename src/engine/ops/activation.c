/* Elementwise activations, and activity regularization, which adds a penalty on its input to the loss and passes the input through. */
#include "engine/ops/activation.h"
#include "engine/ops/elementwise.h"

void fm_activation_forward(const fm_pass *pass, const fm_node *node) {
    float *const *value = pass->workspace->value;
    const fm_row_shard shard = fm_shard_buffer(pass, node->spec.output);
    const fm_elementwise arguments = fm_elementwise_of(node, shard, value[node->spec.input], NULL, value[node->spec.output]);
    pass->network->kernels->activation(&arguments);
}

void fm_activation_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    const fm_workspace *w = pass->workspace;
    const fm_row_shard shard = fm_shard_buffer(pass, node->spec.output);
    const float *grad = w->grad[node->spec.output];
    float *input_grad = w->grad[node->spec.input];
    if (node->fused) { /* the dense node has saved the derivative */
        const fm_elementwise multiply = fm_elementwise_of(node, shard, w->value[node->spec.input], grad, input_grad);
        pass->network->kernels->multiply(&multiply);
        return;
    }
    if (node->activation_backward_fused) {
        fm_copy_shard(shard, grad, input_grad);
        return;
    }
    const int from_output = node->spec.activation < FM_OUTPUT_ACTIVATION_COUNT;
    const fm_elementwise activation_backward =
        fm_elementwise_of(node, shard, w->value[from_output ? node->spec.output : node->spec.input], grad, input_grad);
    pass->network->kernels->activation_backward(&activation_backward);
}

void fm_activity_forward(const fm_pass *pass, const fm_node *node) {
    float *const *value = pass->workspace->value;
    fm_copy_shard(fm_shard_buffer(pass, node->spec.output), value[node->spec.input], value[node->spec.output]);
}

void fm_activity_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    const fm_workspace *w = pass->workspace;
    const fm_row_shard shard = fm_shard_buffer(pass, node->spec.output);
    const fm_activity arguments = {
        .rows = shard.rows,
        .cols = node->units,
        .x = w->value[node->spec.output] + shard.begin,
        .row = pass->network->stride[node->spec.output],
        .l1 = node->spec.l1 / (float)pass->rows,
        .l2 = 2.0f * node->spec.l2 / (float)pass->rows,
        .grad = w->grad[node->spec.output] + shard.begin,
        .out = w->grad[node->spec.input] + shard.begin,
    };
    pass->network->kernels->activity_backward(&arguments);
}

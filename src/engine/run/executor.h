/* Runs the nodes forward and backward. */
#ifndef FASTMLP_RUN_EXECUTOR_H
#define FASTMLP_RUN_EXECUTOR_H

#include "engine/ops/ops.h"
#include "engine/optim/step.h"

/* True for a node that a forward pass computes. */
static inline int fm_runs_forward(const fm_pass *pass, const fm_node *node) {
    return fm_ops[node->spec.op].forward && !fm_is_fused_activation(node) && !fm_is_applied_to_csr(pass, node) &&
           (node->needed || !pass->only_needed);
}

/* Computes all buffers; ends with a barrier. */
void fm_forward(const fm_pass *pass);

/* Backpropagates from the sources of the losses and updates the parameters; ends without a barrier. */
void fm_backward(const fm_pass *pass, const fm_step *step);

#endif

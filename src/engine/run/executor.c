/* Runs the nodes forward and backward. */
#include "engine/run/executor.h"
#include "engine/graph/traits.h"
#include "engine/ops/ops.h"

void fm_forward(const fm_pass *pass) {
    const fm_network *network = pass->network;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        const fm_op_functions *op = &fm_ops[node->spec.op];
        if ((pass->only_needed && !node->needed) || !op->forward)
            continue;
        op->forward(pass, node);
        fm_team_barrier(pass->worker);
    }
}

void fm_backward(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    for (int i = network->node_count - 1; i >= 0; i--) {
        const fm_node *node = &network->nodes[i];
        if (!node->has_grad || node->aliases_input_grad)
            continue;
        fm_ops[node->spec.op].backward(pass, node, step);
        if (!fm_op_has(node->spec.op, FM_TRAIT_NO_BARRIER))
            fm_team_barrier(pass->worker);
    }
}

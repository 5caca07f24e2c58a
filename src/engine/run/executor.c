/* Runs the nodes forward and backward. */
#include "engine/run/executor.h"
#include "engine/graph/traits.h"

void fm_forward(const fm_pass *pass) {
    const fm_network *network = pass->network;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (!fm_runs_forward(pass, node))
            continue;
        fm_ops[node->spec.op].forward(pass, node);
        fm_team_barrier(pass->worker);
    }
}

void fm_backward(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    for (int i = network->node_count - 1; i >= 0; i--) {
        const fm_node *node = &network->nodes[i];
        const int is_done =
            fm_is_fused_activation(node) && node->activation_backward_fused; /* by the dense node above, for the one below */
        if (!node->has_grad || node->aliases_input_grad || is_done)
            continue;
        fm_ops[node->spec.op].backward(pass, node, step);
        if (!fm_op_has(node->spec.op, FM_TRAIT_NO_BARRIER))
            fm_team_barrier(pass->worker);
    }
}

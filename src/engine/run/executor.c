/* Runs the nodes forward and backward. Workers wait for each other only where one reads what another has computed: between two nodes of which
 * each worker takes the same rows of the batch, no barrier is needed. */
#include "engine/run/executor.h"
#include "engine/graph/traits.h"
#include "engine/ops/dense.h"

static int is_rowwise(const fm_pass *pass, const fm_node *node, int (*is_dense_rowwise)(const fm_pass *, const fm_node *)) {
    if (pass->network->max_rows_per_sample > 1) /* buffers are divided at different samples */
        return 0;
    return node->spec.op == FM_OP_dense ? is_dense_rowwise(pass, node) : fm_op_has(node->spec.op, FM_TRAIT_ROWWISE);
}

void fm_forward(const fm_pass *pass) {
    const fm_network *network = pass->network;
    const int alone = pass->worker.count == 1;
    int rowwise = 1; /* all since the last barrier */
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (!fm_runs_forward(pass, node))
            continue;
        if (!alone) {
            const int is_next_rowwise = is_rowwise(pass, node, fm_dense_is_rowwise);
            if (!rowwise || !is_next_rowwise)
                fm_team_barrier(pass->worker);
            rowwise = is_next_rowwise;
        }
        fm_ops[node->spec.op].forward(pass, node);
    }
    fm_team_barrier(pass->worker);
}

/* True for an activation whose backward pass the dense node above has done, for the one below. */
static int is_done(const fm_node *node) { return fm_is_fused_activation(node) && node->activation_backward_fused; }

void fm_backward(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    int rowwise = 1;
    for (int i = network->node_count - 1; i >= 0; i--) {
        const fm_node *node = &network->nodes[i];
        if (!node->has_grad || node->aliases_input_grad || is_done(node) || !fm_ops[node->spec.op].backward)
            continue;
        const int is_next_rowwise = is_rowwise(pass, node, fm_dense_is_backward_rowwise);
        if (!rowwise || !is_next_rowwise)
            fm_team_barrier(pass->worker);
        rowwise = is_next_rowwise;
        fm_ops[node->spec.op].backward(pass, node, step);
    }
    fm_team_barrier(pass->worker); /* the nodes read the weights, so they may change only now */
    for (int i = network->node_count - 1; i >= 0; i--) {
        const fm_node *node = &network->nodes[i];
        if (node->has_grad && fm_ops[node->spec.op].update)
            fm_ops[node->spec.op].update(pass, node, step);
    }
}

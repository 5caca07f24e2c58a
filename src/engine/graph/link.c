/* Links nodes: what a node can fuse with its neighbours, and which nodes the losses need and send gradients to. */
#include "engine/graph/link.h"
#include "engine/graph/validate.h"

static fm_node *writer_of(fm_network *network, int buffer, int before) {
    for (int i = before - 1; i >= 0; i--)
        if (network->nodes[i].spec.output == buffer)
            return &network->nodes[i];
    return NULL;
}

static int depends_on_parameters(const fm_node *node) {
    return node && (node->kernel_trainable || node->bias_trainable || node->needs_input_grad || node->needs_other_grad);
}

/* An activation whose derivative needs its input is computed by the epilogue of the dense node before it, which saves the derivative in its own
 * buffer: no other node reads that. */
static void fuse_activation(fm_network *network, fm_node *node) {
    fm_node *dense = node->spec.op == FM_OP_activation && node->spec.activation >= FM_OUTPUT_ACTIVATION_COUNT
                         ? writer_of(network, node->spec.input, node->index)
                         : NULL;
    if (!dense || dense->spec.op != FM_OP_dense || dense->spec.activation != FM_ACTIVATION_linear || dense->spec.output == network->output)
        return;
    dense->fused = node;
    node->fused = dense;
}

/* A core does about 50 flops of a product in a cycle, and the elementwise operations in so many cycles for 16 elements: 1 for one that is
 * hidden behind loads and stores, 20 for an activation with an exponential. */
#define OPERATIONS_OF_COPY (50.0 / 16)
#define OPERATIONS_OF_ACTIVATION (20 * 50.0 / 16)

static void count_work(fm_network *network, const fm_node *node) {
    const double rows = (double)network->rows_per_sample[node->spec.output], columns = (double)FM_ROUND_UP(node->units) * rows;
    const int is_activation = node->spec.op == FM_OP_dense || node->spec.op == FM_OP_activation;
    const int is_cheap = is_activation ? node->spec.activation == FM_ACTIVATION_linear || node->spec.activation == FM_ACTIVATION_relu
                                       : !fm_op_is_activation(node->spec.op) && node->spec.op != FM_OP_periodic;
    network->row_operations += columns * (is_cheap ? OPERATIONS_OF_COPY : OPERATIONS_OF_ACTIVATION);
    if (node->spec.op == FM_OP_dense)
        network->row_flops += 2.0 * (double)node->inputs * columns;
}

static void find_first_dense(fm_network *network) {
    const int first = network->nodes[0].spec.op == FM_OP_rescaling && network->node_count > 1;
    const fm_node *dense = &network->nodes[first];
    network->first_dense = NULL;
    if (dense->spec.op != FM_OP_dense || (first && dense->spec.input != network->nodes[0].spec.output))
        return;
    for (int i = first + 1; i < network->node_count; i++)
        if (network->nodes[i].spec.op == FM_OP_dense && network->nodes[i].kernel == dense->kernel)
            return;
    network->first_dense = dense;
}

void fm_link_nodes(fm_network *network) {
    for (int b = 0; b < network->buffer_count; b++)
        network->root[b] = b;
    for (int i = 0; i < network->node_count; i++) {
        fm_node *node = &network->nodes[i], *producer = writer_of(network, node->spec.input, i);
        node->producer = producer;
        node->needs_input_grad = depends_on_parameters(producer);
        node->needs_other_grad = fm_reads_two(node->spec.op) && depends_on_parameters(writer_of(network, node->spec.other, i));
        network->penalizes_activity |= node->spec.op == FM_OP_activity;
        if (node->spec.op == FM_OP_branch)
            network->root[node->spec.output] = network->root[node->spec.input];
        fuse_activation(network, node);
        if (node->spec.op == FM_OP_dense) {
            if (node->needs_input_grad) {
                const int elementwise = producer->spec.op == FM_OP_dense || producer->spec.op == FM_OP_activation;
                producer->activation_backward_fused = elementwise && producer->spec.activation != FM_ACTIVATION_linear &&
                                                      (producer->spec.activation < FM_OUTPUT_ACTIVATION_COUNT || producer->fused);
                fm_node *target = fm_is_fused_activation(producer) ? writer_of(network, producer->spec.input, i) : producer;
                target->grad_in_panels = target->spec.op == FM_OP_dense;
            }
        }
        count_work(network, node);
    }
    find_first_dense(network);
}

/* -- what the loss needs and reaches ----------------------------------------------------------------------------------------------- */

static int reads(const fm_node_spec *node, int buffer) {
    return node->input == buffer || (fm_reads_two(node->op) && node->other == buffer);
}

/* Marks the nodes whose output a marked node reads, from the last to the first. */
static void find_needed(fm_network *network, const fm_loss_term *terms, int count) {
    for (int i = network->node_count - 1; i >= 0; i--) {
        fm_node *node = &network->nodes[i];
        node->needed = 0;
        for (int t = 0; t < count; t++)
            node->needed |= node->spec.output == terms[t].objective.source;
        for (int j = i + 1; j < network->node_count && !node->needed; j++)
            node->needed = network->nodes[j].needed && reads(&network->nodes[j].spec, node->spec.output);
    }
}

/* Moving statistics are updated in every batch, whether or not a loss needs the node. */
static void find_moving(fm_network *network) {
    for (int i = network->node_count - 1; i >= 0; i--) {
        fm_node *node = &network->nodes[i];
        node->needed |= node->spec.op == FM_OP_batch_normalization && node->spec.mode != FM_MODE_INFERENCE;
        for (int j = i + 1; j < network->node_count && !node->needed; j++)
            node->needed = network->nodes[j].needed && reads(&network->nodes[j].spec, node->spec.output);
    }
}

/* Nodes that a loss needs get a gradient, unless nothing trainable lies below them. */
static void find_reached(fm_network *network) {
    for (int i = network->node_count - 1; i >= 0; i--) {
        fm_node *node = &network->nodes[i];
        node->has_grad = node->needed && depends_on_parameters(node);
        node->aliases_input_grad = node->has_grad && node->spec.op == FM_OP_branch;
        for (int j = i + 1; j < network->node_count && node->aliases_input_grad; j++)
            node->aliases_input_grad = !(network->nodes[j].has_grad && reads(&network->nodes[j].spec, node->spec.input));
    }
}

/* True if a trainable parameter has no node that gets a gradient, or several. */
static int must_accumulate(const fm_network *network) {
    for (int p = 0; p < network->parameter_count; p++) {
        int nodes = 0;
        for (int i = 0; i < network->node_count; i++) {
            const fm_node *node = &network->nodes[i];
            nodes +=
                node->has_grad && ((node->kernel_trainable && node->spec.kernel == p) || (node->bias_trainable && node->spec.bias == p));
        }
        if (network->trainable[p] && nodes != 1)
            return 1;
    }
    return 0;
}

/* True if the loss is the only source of gradients for the buffers it reads. */
static int is_left_to_loss(const fm_network *network, const fm_loss_term *terms, int count, int term) {
    const fm_objective *o = &terms[term].objective;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (node->needed && (reads(&node->spec, o->source) || reads(&node->spec, o->output)))
            return 0;
    }
    for (int t = 0; t < count; t++)
        if (t != term && (terms[t].objective.source == o->source || terms[t].objective.output == o->source))
            return 0;
    return 1;
}

/* True for a buffer in which there is the derivative of an activation instead of its input. */
static int is_fused_input(fm_network *network, int buffer) {
    const fm_node *writer = writer_of(network, buffer, network->node_count);
    return writer && writer->spec.op == FM_OP_dense && writer->fused;
}

int fm_link_objectives(fm_network *network, const fm_loss_term *terms, int count) {
    find_needed(network, terms, count);
    find_reached(network);
    network->accumulates = must_accumulate(network);
    for (int t = 0; t < count; t++)
        if (!is_left_to_loss(network, terms, count, t) || is_fused_input(network, terms[t].objective.source))
            return 0;
    find_moving(network);
    return 1;
}

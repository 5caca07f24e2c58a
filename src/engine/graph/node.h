/* One node of a network: its spec, offsets into the parameter arrays, and what fm_link_nodes found out about its neighbours. */
#ifndef FASTMLP_GRAPH_NODE_H
#define FASTMLP_GRAPH_NODE_H

#include "fastmlp.h"

#include <stddef.h>

typedef struct fm_node {
    fm_node_spec spec;
    int index; /* index in network->nodes */
    ptrdiff_t inputs, units; /* widths of the buffers read and written */
    ptrdiff_t panels;        /* dense: weight panels of 16 units */
    ptrdiff_t kernel, bias;  /* offsets into the parameter arrays; -1 for none */
    ptrdiff_t mean, variance;
    int kernel_trainable, bias_trainable; /* trainable parameters */
    int needs_input_grad;       /* its input depends on trainable parameters, so backward computes its gradient */
    int needs_other_grad;       /* the same for its second input, `other` */
    int needed;              /* a loss, a metric or its own moving statistics need its output, and it is not fused into the loss */
    int has_grad;             /* backward runs: its output gets a gradient */
    int aliases_input_grad; /* branch: the gradient of its output shares memory with that of its input, because it is the first to arrive there */
    int activation_backward_fused; /* the dense node above multiplies the gradient of its output by the activation's derivative in its dX epilogue */
    int grad_in_panels; /* dense: … and writes it as panels, and transposed if the gradient of the input is needed */
    const struct fm_node *fused; /* dense: the activation node that its epilogue computes; that activation: the dense node; else NULL */
    const struct fm_node *producer; /* the node that writes its input; NULL for the network's input */
} fm_node;

/* True for an activation that the dense node before it computes. */
static inline int fm_is_fused_activation(const fm_node *node) { return node->spec.op == FM_OP_activation && node->fused; }

#endif

/* One node of a network. */
#ifndef FASTMLP_GRAPH_NODE_H
#define FASTMLP_GRAPH_NODE_H

#include "fastmlp.h"

#include <stddef.h>

typedef struct fm_node {
    fm_node_spec spec;
    int index; /* among the nodes */
    ptrdiff_t inputs, units; /* widths of the buffers read and written */
    ptrdiff_t panels;        /* dense: weight panels of 16 units */
    ptrdiff_t kernel, bias;  /* offsets into the parameter arrays; -1 for none */
    ptrdiff_t mean, variance;
    int kernel_trainable, bias_trainable; /* the optimizer moves them */
    int needs_input_grad;       /* its input depends on parameters that move: the gradient of it is wanted */
    int needs_other_grad;       /* the same for its second input */
    int needed;              /* the objective needs its output, and does not compute it itself; or its own statistics do */
    int has_grad;             /* the gradient of the loss comes to its output, and goes on from there */
    int aliases_input_grad;          /* branch: its gradient is the first that its input gets, so it may as well be that one */
    int activation_backward_fused;             /* the gradient of its output arrives multiplied by the activation's derivative */
    int grad_in_panels;           /* dense: … and in panels, transposed as well if the gradient of its input is wanted */
    const struct fm_node *producer; /* the node that writes its input; NULL for the network's input */
} fm_node;

#endif

/* The network, with a shape comment on every array. */
#ifndef FASTMLP_GRAPH_NETWORK_H
#define FASTMLP_GRAPH_NETWORK_H

#include "engine/base/fpmode.h"
#include "engine/base/lock.h"
#include "engine/graph/node.h"
#include "engine/graph/training.h"
#include "engine/graph/workspace.h"

#include <stdatomic.h>

#define FM_SPARE_WORKSPACES 8

/* Writes a field of fm_state, which other threads read without a lock. */
#define FM_PUBLISH(to, value)                                                                                                              \
    do {                                                                                                                                   \
        __typeof__(to) published_ = (value);                                                                                               \
        __atomic_store(&(to), &published_, __ATOMIC_RELAXED);                                                                              \
    } while (0)

struct fm_network {
    const fm_kernels *kernels;
    int buffer_count, node_count, parameter_count;
    ptrdiff_t *width;  /* [buffer] */
    ptrdiff_t *rows_per_sample;    /* [buffer] rows for each row of the batch: more than 1 between a fold and its unfold */
    ptrdiff_t max_rows_per_sample;
    ptrdiff_t
        *stride; /* [buffer] floats from row to row: padded, and never a multiple of 256, which would map rows to the same cache sets */
    fm_node *nodes;
    ptrdiff_t (*shape)[2]; /* [parameter] */
    ptrdiff_t *offset;     /* [parameter] */
    uint8_t *trainable;    /* [parameter] updated by the optimizer */
    ptrdiff_t size;        /* floats in each parameter array */
    int output;
    int penalizes_activity; /* some node adds an activity penalty to the loss */
    int *root;         /* [buffer] the buffer whose values it aliases: itself, or the one that branches read */
    /* The dense node that reads the input, directly or after a rescaling, with a kernel that no other node uses; NULL if there is none. */
    const fm_node *first_dense;
    int accumulates; /* gradients are accumulated in their array: some parameters are used by no node that gets a gradient, or by several */
    double row_flops; /* of the products of a forward pass of one row, with the lanes that pad panels */
    double row_operations; /* what the rest of it costs, in flops that take as long */

    float *value; /* [size] kernels as panels, biases padded */
    float *slot[FM_SLOTS]; /* [size], or NULL */
    float *gradient; /* [size], NULL until needed */
    char *slot_memory, *gradient_memory, *plan_memory, *constant_memory, *value_memory;

    fm_deferred deferred;

    int configured;
    fm_loss_term *terms; /* [term_count], followed by their metrics */
    int term_count;
    ptrdiff_t target_columns; /* of y */
    fm_update_spec update;
    fm_optimizer optimizer;
    fm_state state;
    fm_fpmode caller_mode; /* of the thread that trains or evaluates, restored while it runs user-defined functions */
    fm_autotune autotune[2]; /* [0] for evaluation, [1] for training */

    fm_workspace *batch[2]; /* [0] for evaluation, [1] for training; NULL until needed */
    fm_workspace *spare[FM_SPARE_WORKSPACES];
    atomic_int spare_taken[FM_SPARE_WORKSPACES];

    fm_lock lock;
    uint64_t task; /* number of times it was configured */

    fm_network *next, *previous; /* in the list of all networks: run/fork.c */
    int held_for_fork;
};

#endif

/* The network, a shape on every field. */
#ifndef FASTMLP_GRAPH_NETWORK_H
#define FASTMLP_GRAPH_NETWORK_H

#include "engine/base/fpmode.h"
#include "engine/base/lock.h"
#include "engine/graph/node.h"
#include "engine/graph/training.h"
#include "engine/graph/workspace.h"

#include <stdatomic.h>

#define FM_SPARE_WORKSPACES 8

/* Writes one of the numbers of fm_state, which others read without a lock. */
#define FM_PUBLISH(to, value)                                                                                                              \
    do {                                                                                                                                   \
        __typeof__(to) published_ = (value);                                                                                               \
        __atomic_store(&(to), &published_, __ATOMIC_RELAXED);                                                                              \
    } while (0)

struct fm_network {
    const fm_kernels *kernels;
    int buffer_count, node_count, parameter_count;
    ptrdiff_t *width;  /* [buffer] */
    ptrdiff_t *rows_per_sample;    /* [buffer] its rows for each row of the batch: 1 but between a fold and its unfold */
    ptrdiff_t max_rows_per_sample;
    ptrdiff_t *stride; /* [buffer] floats from row to row: padded, and kept off powers of two that would share cache sets */
    fm_node *nodes;
    ptrdiff_t (*shape)[2]; /* [parameter] */
    ptrdiff_t *offset;     /* [parameter] */
    uint8_t *trainable;    /* [parameter] the optimizer moves it */
    ptrdiff_t size;        /* floats in each parameter array */
    int output;
    int penalizes_activity; /* some node adds to the loss */
    int32_t *gathered; /* what the nodes of gathers point at */
    float *tables;     /* what lookups and discretizations point at */
    int *root;         /* [buffer] the buffer whose values it shows: itself, or where branches begin */
    int direct_input; /* only one dense node, with a kernel of its own, reads the input, so it need not be copied to padded rows */
    int accumulates;  /* gradients are added up in their array: some parameters have none, or several nodes */
    double row_flops; /* of one row's forward pass */

    float *value;    /* [size] kernels in panels, biases padded */
    float *slot[FM_SLOTS]; /* [size], NULL where the optimizer has none */
    float *gradient; /* [size], NULL until wanted */
    char *slot_memory, *gradient_memory, *plan_memory, *value_memory;

    fm_deferred deferred;

    int configured;
    fm_loss_term *terms; /* [term_count], and behind them their metrics */
    int term_count;
    ptrdiff_t target_columns; /* of y */
    fm_update_spec update;
    fm_optimizer optimizer;
    fm_state state;
    fm_fpmode caller_mode; /* of the thread that trains or evaluates, for functions of its own: fpmode.h */
    fm_autotune autotune[2]; /* of evaluation and of training */

    fm_workspace *batch[2]; /* evaluation's and training's; NULL until wanted */
    fm_workspace *spare[FM_SPARE_WORKSPACES];
    atomic_int spare_taken[FM_SPARE_WORKSPACES];

    fm_lock lock;
    uint64_t task; /* how often it was configured */

    fm_network *next, *previous; /* in the list of all networks: run/fork.c */
    int held_for_fork;
};

#endif

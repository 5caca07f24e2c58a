/* A forward or backward pass over a batch as one worker sees it. */
#ifndef FASTMLP_GRAPH_PASS_H
#define FASTMLP_GRAPH_PASS_H

#include "engine/graph/network.h"

/* One pass over a batch by one worker. */
typedef struct fm_pass {
    fm_network *network;
    fm_workspace *workspace;
    ptrdiff_t rows;
    const float *input; /* [rows][input_row] */
    ptrdiff_t input_row;
    int training;  /* all nodes behave as in training */
    int as_called; /* nodes of FM_MODE_TRAINING do */
    uint64_t draw; /* number of the noise stream: see fm_noise_key */
    ptrdiff_t first_row; /* index of the first row among those of a call that is cut into passes */
    int only_needed; /* only nodes that the losses need are run */
    int streams_input; /* the input is larger than caches, and read where the user has it */
    int deferred; /* updates of rows without a gradient are deferred */
    int sparse;   /* the input is the workspace's CSR */
    fm_worker worker;
} fm_pass;

/* True for a node that behaves as in training. */
static inline int fm_in_training_mode(const fm_pass *pass, const fm_node *node) {
    return pass->training || (pass->as_called && node->spec.mode == FM_MODE_TRAINING);
}

/* Rows of a buffer that a workspace can hold; rows of a buffer in this pass; the capacity rounded up to a multiple of 16. */
static inline ptrdiff_t fm_capacity(const fm_network *network, const fm_workspace *workspace, int buffer) {
    return workspace->rows * network->rows_per_sample[buffer];
}
static inline ptrdiff_t fm_rows(const fm_pass *pass, int buffer) { return pass->rows * pass->network->rows_per_sample[buffer]; }
static inline ptrdiff_t fm_room(const fm_pass *pass, int buffer) {
    return FM_ROUND_UP(pass->workspace->rows * pass->network->rows_per_sample[buffer]);
}

/* True for the dense node that reads the CSR input, and for a node before it, which fm_compress_row has applied. */
static inline int fm_reads_csr(const fm_pass *pass, const fm_node *node) { return pass->sparse && node == pass->network->first_dense; }
static inline int fm_is_applied_to_csr(const fm_pass *pass, const fm_node *node) {
    return pass->sparse && node < pass->network->first_dense;
}

#define FM_SCRATCH_PANEL (FM_MC * FM_PANEL)

/* This worker's scratch: [FM_NC_PANELS][FM_MC][16]. */
static inline float *fm_scratch(const fm_pass *pass) {
    return pass->workspace->scratch + (ptrdiff_t)pass->worker.id * FM_NC_PANELS * FM_SCRATCH_PANEL;
}

/* This worker's rows of a buffer, and the range of floats that they cover, for ops that treat all rows alike. */
typedef struct fm_row_shard {
    ptrdiff_t first_row, rows, begin, n;
} fm_row_shard;
static inline fm_row_shard fm_shard_buffer(const fm_pass *pass, int buffer) {
    const fm_range rows = fm_partition_rows(fm_rows(pass, buffer), pass->worker);
    const ptrdiff_t stride = pass->network->stride[buffer];
    const ptrdiff_t count = rows.end > rows.begin ? rows.end - rows.begin : 0;
    return (fm_row_shard){rows.begin, count, rows.begin * stride, count * stride};
}

#endif

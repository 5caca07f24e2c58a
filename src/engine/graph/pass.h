/* One pass over a batch, and what of it a worker has. */
#ifndef FASTMLP_GRAPH_PASS_H
#define FASTMLP_GRAPH_PASS_H

#include "engine/graph/network.h"

/* One pass over a batch: whose, how many rows, and which of the threads this is. */
typedef struct fm_pass {
    fm_network *network;
    fm_workspace *workspace;
    ptrdiff_t rows;
    const float *input; /* [rows][input_row] */
    ptrdiff_t input_row;
    int training;  /* all nodes are as in training: dropout is on */
    int as_called; /* those of FM_MODE_TRAINING are */
    uint64_t draw; /* which of the streams of noise that belong to the seed: see fm_noise_key */
    ptrdiff_t first_row; /* of the rows of a call, where a pass takes some of them */
    int only_needed; /* only nodes that the objective needs are run */
    int sparse;   /* the input is in the workspace's lists */
    fm_worker worker;
} fm_pass;

/* True for a node that does what it does in training. */
static inline int fm_in_training_mode(const fm_pass *pass, const fm_node *node) {
    return pass->training || (pass->as_called && node->spec.mode == FM_MODE_TRAINING);
}

/* Rows of a buffer that a workspace has room for; rows in a pass, and the room rounded up to whole panels. */
static inline ptrdiff_t fm_capacity(const fm_network *network, const fm_workspace *workspace, int buffer) {
    return workspace->rows * network->rows_per_sample[buffer];
}
static inline ptrdiff_t fm_rows(const fm_pass *pass, int buffer) { return pass->rows * pass->network->rows_per_sample[buffer]; }
static inline ptrdiff_t fm_room(const fm_pass *pass, int buffer) {
    return FM_ROUND_UP(pass->workspace->rows * pass->network->rows_per_sample[buffer]);
}

#define FM_SCRATCH_PANEL (FM_MC * FM_PANEL)

/* This worker's part of the workspace's scratch: [FM_NC_PANELS][FM_MC][16]. */
static inline float *fm_scratch(const fm_pass *pass) {
    return pass->workspace->scratch + (ptrdiff_t)pass->worker.id * FM_NC_PANELS * FM_SCRATCH_PANEL;
}

/* Elements of a buffer that this worker's rows cover, when all rows are handled alike: whole padded rows, end to end. */
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

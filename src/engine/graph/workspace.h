/* Memory for one batch, with a shape comment on every array, and the block sizes of the GEMMs. */
#ifndef FASTMLP_GRAPH_WORKSPACE_H
#define FASTMLP_GRAPH_WORKSPACE_H

#include "engine/base/partition.h"
#include "kernels/kernels.h"

#include <stdint.h>

#define FM_MC                                                                                                                              \
    192  /* MC: maximum rows of a GEMM block, a multiple of every MR. Block sizes are from docs/performance.md, Intel Sapphire Rapids */
#define FM_MIN_MC 48   /* minimum MC, if there are as many rows */
#define FM_L2_BLOCK_FLOATS                                                                                                                 \
    (96 << 10) /* floats of the A block, MC × depth: 384 KiB, three quarters of an L2 of 512 KiB, the rest for panels */
#define FM_NC_PANELS                                                                                                                       \
    4 /* NC in panels: columns of a block whose results go through scratch; the micro-kernels take at most two panels, spmm four */
#define FM_KC 320 /* KC: terms of a sum between two visits of C; a panel of KC × 16 floats, 20 KiB, stays in a 32 KiB L1 */

/* The batch's input as CSR: row r has value[e] in column index[e] for begin[r] ≤ e < end[r], columns ascending. */
typedef struct fm_csr_rows {
    const int32_t *index;
    const float *value;
    ptrdiff_t *begin, *end; /* [rows] */
} fm_csr_rows;

/* The same as CSC: one worker's shard of the non-empty columns. */
typedef struct fm_csc {
    fm_range range; /* the columns of this worker */
    ptrdiff_t count; /* non-empty columns among them */
    int32_t *column; /* [count] */
    ptrdiff_t stale; /* number of those with deferred updates */
    int32_t *stale_column; /* [late] */
    ptrdiff_t *begin, *end; /* [count] range of entries of each column */
    int32_t *index; /* row numbers, ascending in each column */
    float *value;
    ptrdiff_t *from, *to; /* [rows] range of the entries of each row that lie in `range` */
    char *memory;
    ptrdiff_t column_room, entry_room;
} fm_csc;

/* Targets, weights and results of one loss and its metrics. */
typedef struct fm_target_arrays {
    float *y; /* [rows][stride of the output] */
    float *smoothed; /* the same with label smoothing; NULL if there is none */
    int32_t *labels; /* [rows] */
    int32_t *kept; /* [rows] labels with ignored ones replaced by 0; NULL if none is ignored */
    float *counted; /* [rows] weights of rows if some are ignored */
    float *weight; /* [rows] */
    float *loss; /* [rows] */
    float *metric; /* [metric][rows] */
    float *pairs; /* [3][rows] scratch of a loss of pairs; NULL for others */
} fm_target_arrays;

/* What a workspace has memory for besides the values of the buffers. */
enum {
    FM_ROOM_FOR_NOISE = 1, /* what nodes save for backward: masks and moments */
    FM_ROOM_FOR_TARGETS = 2, /* targets, losses and metrics */
    FM_ROOM_FOR_GRADIENTS = 4, /* gradients and packed operands */
    FM_ROOM_FOR_TRAINING = 7,
};

/* Memory for one batch. Columns are padded to multiples of 16; rows only where they are written 16 at a time. */
typedef struct fm_workspace {
    ptrdiff_t rows; /* capacity */
    int workers; /* number of workers it has scratch for */
    int room; /* FM_ROOM_FOR_… */
    size_t bytes; /* of `memory` */
    char *memory;
    char *input_memory; /* of value[0]; NULL until dense rows come */
    float **value; /* [buffer] -> [rows][stride] */
    float **grad; /* [buffer] -> [rows][stride], dLoss/dbuffer; NULL for the input and where it is written as panels */
    float **
        grad_panels; /* [output of a dense node] -> [panel][rows][16], the gradient before the activation; `grad` where the layouts are equal */
    float **grad_t_panels; /* [output of a dense node] -> [16 rows of the batch][padded width][16], the same transposed */
    float **saved; /* [node] -> what it saves for backward: ops/ops.def */
    struct fm_target_arrays *targets; /* [term] */
    float *activity; /* [rows] activity penalties */
    float *scratch; /* [workers][FM_NC_PANELS][FM_MC][16] results on their way to a transpose or an update */
    float *packed; /* [workers][packed_floats] packed A blocks */
    ptrdiff_t packed_floats;
    char *csr_memory; /* NULL until a batch is sparse */
    fm_csr_rows csr;
    char *compressed_memory; /* NULL until dense rows are compressed */
    int32_t *compressed_index; /* [rows][inputs] */
    float *compressed_value; /* [rows][inputs] */
    fm_csc *csc; /* [workers]; NULL until dW of a sparse input is needed */
    int32_t *place; /* [inputs] zero between batches */
} fm_workspace;

#endif

/* Memory for one batch, a shape on every field. */
#ifndef FASTMLP_GRAPH_WORKSPACE_H
#define FASTMLP_GRAPH_WORKSPACE_H

#include "engine/base/partition.h"
#include "kernels/kernels.h"

#include <stdint.h>

#define FM_MC 192  /* most rows of a GEMM block, an integer of tiles */
#define FM_MIN_MC 48   /* least, where there are as many */
#define FM_L2_BLOCK_FLOATS (96 << 10) /* of the rows' operand: 384 KiB, which stay in a second cache of 512 KiB while panels stream past */
#define FM_NC_PANELS 4 /* panels of a block whose sums go through scratch; the widest tile takes two, a sparse one four */
#define FM_KC 320 /* terms of a sum between two visits of c: a panel of 20 KiB stays in a 32 KiB first cache */

/* A batch's input without its zeros: row r has value[e] in column index[e], begin[r] ≤ e < end[r]; columns ascend. */
typedef struct fm_csr_rows {
    const int32_t *index;
    const float *value;
    ptrdiff_t *begin, *end; /* [rows] */
} fm_csr_rows;

/* The same by columns: a worker's share of those in which anything stands. */
typedef struct fm_csc {
    fm_range range; /* the columns this worker looked through */
    ptrdiff_t count; /* of them that are not all zero */
    int32_t *column; /* [count] */
    ptrdiff_t stale; /* of those, how many have put off updates */
    int32_t *stale_column; /* [late] */
    ptrdiff_t *begin, *end; /* [count] the entries of a column */
    int32_t *index; /* rows of the batch, ascending in each column */
    float *value;
    ptrdiff_t *from, *to; /* [rows] the entries of each row that lie in range */
    char *memory;
    ptrdiff_t column_room, entry_room;
} fm_csc;

/* What one loss reads besides its predictions, and what it and its metrics give. */
typedef struct fm_target_arrays {
    float *y; /* [rows][stride of the output] */
    float *smoothed; /* the same, NULL where no target is smoothed */
    int32_t *labels; /* [rows] */
    int32_t *kept; /* [rows] the labels, 0 for those that are ignored; NULL where none is */
    float *counted; /* [rows] what rows weigh in the loss where some are ignored */
    float *weight; /* [rows] */
    float *loss; /* [rows] */
    float *metric; /* [metric][rows] */
    float *pairs; /* [3][rows] room for a loss of pairs of rows; NULL for others */
} fm_target_arrays;

/* What a workspace has room for besides the values of the buffers. */
enum {
    FM_ROOM_FOR_NOISE = 1, /* what nodes that train keep: masks and moments */
    FM_ROOM_FOR_TARGETS = 2, /* loss and metrics */
    FM_ROOM_FOR_GRADIENTS = 4, /* and the products that they are made of */
    FM_ROOM_FOR_TRAINING = 7,
};

/* Memory for one batch. Columns are padded to multiples of 16 everywhere; rows only where they are written 16 at a time. */
typedef struct fm_workspace {
    ptrdiff_t rows; /* capacity */
    int workers; /* threads there is scratch for */
    int room; /* FM_ROOM_FOR_… */
    size_t bytes; /* of `memory` */
    char *memory;
    char *input_memory; /* of value[0]; NULL until rows come with their zeros */
    float **value; /* [buffer] -> [rows][stride] */
    float **grad; /* [buffer] -> [rows][stride], dLoss/dbuffer; none of the input, nor where it arrives in panels */
    float **grad_panels; /* [output of a dense node] -> [panel][rows][16], the gradient of its sums; may be `grad` where that is the same */
    float **grad_t_panels; /* [output of a dense node] -> [strip of 16 rows][padded width][16], the same transposed */
    float **saved; /* [node] -> what it keeps for its backward pass: ops/ops.def */
    struct fm_target_arrays *targets; /* [term] */
    float *activity; /* [rows] penalties on what layers give */
    float *scratch; /* [workers][FM_NC_PANELS][FM_MC][16] sums on their way to a transpose or an update */
    float *packed; /* [workers][packed_floats] the rows' operand of a block, in the order in which tiles read it */
    ptrdiff_t packed_floats;
    char *csr_memory; /* NULL until a sparse input comes */
    fm_csr_rows csr;
    char *compressed_memory; /* NULL until zeros are found in dense rows */
    int32_t *compressed_index; /* [rows][inputs] */
    float *compressed_value; /* [rows][inputs] */
    fm_csc *csc; /* [workers]; NULL until the gradient of a sparse input is wanted */
    int32_t *place; /* [inputs] zero between batches */
} fm_workspace;

#endif

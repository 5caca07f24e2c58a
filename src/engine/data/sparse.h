/* The rows of a batch as lists of what is not zero, by row and by column. */
#ifndef FASTMLP_DATA_SPARSE_H
#define FASTMLP_DATA_SPARSE_H

#include "engine/graph/pass.h"

/* False if this network's input is never worth looking at: the first layer is narrow, or cannot skip. */
int fm_may_skip(const fm_network *network);

/* Share of non-zeros below which skipping the others pays. */
double fm_sparse_threshold(const fm_network *network, int listed);

/* True if so few of these numbers are not zero that visiting only those pays; `listed` if they need not be looked for. */
int fm_is_sparse(const fm_network *network, ptrdiff_t nonzeros, ptrdiff_t count, int listed);

/* Room for the lists of a batch by row: for what dense rows are compressed to as well, or only for where given lists lie. */
fm_status fm_ensure_csr(const fm_network *network, fm_workspace *workspace, int compressed);

/* Room to begin the lists by column; they grow with what a batch holds. */
fm_status fm_ensure_csc(const fm_network *network, fm_workspace *workspace);
void fm_free_sparse(fm_workspace *workspace);

/* Lists one dense row. */
void fm_compress_row(const fm_network *network, fm_workspace *workspace, ptrdiff_t row, const float *x);

/* From the lists by row to this worker's share of those by column. 0 if there is no memory. */
int fm_build_csc(const fm_pass *pass);

/* Whose columns, and what panels of their weights, a worker takes: all columns of some panels, or its own of all panels. */
typedef struct fm_column_shard {
    const fm_csc *csc; /* [count] */
    int count;
    fm_range panels;
} fm_column_shard;
fm_column_shard fm_shard_columns(const fm_pass *pass, const fm_node *node);

#endif

/* The rows of a batch as lists of what is not zero, by row and by column. */
#ifndef FASTMLP_DATA_LISTS_H
#define FASTMLP_DATA_LISTS_H

#include "engine/graph/pass.h"

/* False if this network's input is never worth looking at: the first layer is narrow, or cannot skip. */
int fm_may_skip(const fm_network *network);

/* Share of non-zeros below which skipping the others pays. */
double fm_share_that_pays(const fm_network *network, int listed);

/* True if so few of these numbers are not zero that visiting only those pays; `listed` if they need not be looked for. */
int fm_is_sparse(const fm_network *network, ptrdiff_t nonzeros, ptrdiff_t count, int listed);

/* Room for the lists of a batch by row: for what dense rows are compressed to as well, or only for where given lists lie. */
fm_status fm_need_row_lists(const fm_network *network, fm_workspace *workspace, int compressed);

/* Room to begin the lists by column; they grow with what a batch holds. */
fm_status fm_need_column_lists(const fm_network *network, fm_workspace *workspace);
void fm_free_lists(fm_workspace *workspace);

/* Lists one dense row. */
void fm_compress_row(const fm_network *network, fm_workspace *workspace, ptrdiff_t row, const float *x);

/* From the lists by row to this worker's share of those by column. 0 if there is no memory. */
int fm_list_columns(const fm_pass *pass);

/* Whose columns, and what panels of their weights, a worker takes: all columns of some panels, or its own of all panels. */
typedef struct fm_share_of_columns {
    const fm_column_lists *columns; /* [count] */
    int count;
    fm_range panels;
} fm_share_of_columns;
fm_share_of_columns fm_share_columns(const fm_pass *pass, const fm_node *node);

#endif

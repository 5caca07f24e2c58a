/* The sparse forms of a batch: CSR and CSC. */
#ifndef FASTMLP_DATA_SPARSE_H
#define FASTMLP_DATA_SPARSE_H

#include "engine/graph/pass.h"

/* False if this network never skips zeros: the first layer is narrow, or cannot. Input that is CSR already (`listed`) is read in place, so
 * that no rescaling can be applied to it. */
int fm_may_skip(const fm_network *network, int listed);

/* Density below which skipping zeros pays; `listed` if the input is CSR already. */
double fm_sparse_threshold(const fm_network *network, int listed);

/* True if the density of these numbers is low enough for skipping zeros; `listed` if the input is CSR already. */
int fm_is_sparse(const fm_network *network, ptrdiff_t nonzeros, ptrdiff_t count, int listed);

/* Memory for a batch's CSR: with arrays for compressed rows, or only for where the user's rows lie. */
fm_status fm_ensure_csr(const fm_network *network, fm_workspace *workspace, int compressed);

/* Memory for CSC, which grows with the entries of a batch. */
fm_status fm_ensure_csc(const fm_network *network, fm_workspace *workspace);
void fm_free_sparse(fm_workspace *workspace);

/* Compresses one dense row, and applies the rescaling before the first dense node, if any. */
void fm_compress_row(const fm_network *network, fm_workspace *workspace, ptrdiff_t row, const float *x);

/* Builds this worker's shard of CSC from CSR. 0 if there is no memory. */
int fm_build_csc(const fm_pass *pass);

/* The CSC shards and the panels of dW that a worker computes: all columns of some panels, or its own columns of all panels. */
typedef struct fm_column_shard {
    const fm_csc *csc; /* [count] */
    int count;
    fm_range panels;
} fm_column_shard;
fm_column_shard fm_shard_columns(const fm_pass *pass, const fm_node *node);

#endif

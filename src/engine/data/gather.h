/* Gathers the rows of a batch. */
#ifndef FASTMLP_DATA_GATHER_H
#define FASTMLP_DATA_GATHER_H

#include "engine/graph/pass.h"

/* Copies this worker's rows of a batch through the order into the workspace, or compresses them if the pass is sparse. 0 if an index, a
 * label or a sparse row is out of range. */
int fm_gather(const fm_pass *pass, const fm_batches *batches, int64_t batch);

/* One row of a CSR input: referenced if the pass is sparse, else expanded. 0 if it is invalid. */
int fm_load_csr_row(const fm_pass *pass, const fm_csr *x, int64_t from, ptrdiff_t row);

/* Counts non-zeros and elements of a few rows spread over the data. */
void fm_sample_nonzeros(const fm_network *network, const fm_batches *batches, ptrdiff_t *nonzeros, ptrdiff_t *count);

#endif

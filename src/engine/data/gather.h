/* Rows on their way in. */
#ifndef FASTMLP_DATA_GATHER_H
#define FASTMLP_DATA_GATHER_H

#include "engine/graph/pass.h"

/* Copies this worker's rows of a batch, through the order, into the workspace, or lists them if the pass is sparse. 0 if an index, a label
 * or a sparse row is out of range. */
int fm_gather(const fm_pass *pass, const fm_batches *batches, int64_t batch);

/* One row of an input that comes without zeros: listed if the pass is sparse, else with its zeros. 0 if it is out of range. */
int fm_load_csr_row(const fm_pass *pass, const fm_csr *x, int64_t from, ptrdiff_t row);

/* Numbers that are not zero in a few rows spread over the data, and how many were looked at. */
void fm_sample_nonzeros(const fm_network *network, const fm_batches *batches, ptrdiff_t *nonzeros, ptrdiff_t *count);

#endif

/* Forward passes of few rows on several threads. */
#ifndef FASTMLP_RUN_SPLIT_H
#define FASTMLP_RUN_SPLIT_H

#include "engine/graph/pass.h"

/* About one thread's rates out of L2: Sapphire Rapids with AVX-512, 784-512-10 with 1 and 256 rows. */
#define FM_BYTES_PER_SECOND 110e9
#define FM_FLOPS_PER_SECOND 180e9

/* About what a forward pass takes on one thread. */
static inline double fm_forward_seconds(const fm_network *network, ptrdiff_t rows) {
    const double weights = network->row_flops * 2.0 / FM_BYTES_PER_SECOND; /* a weight is 2 operations and 4 bytes */
    return weights + (double)rows * (network->row_flops + network->row_operations) / FM_FLOPS_PER_SECOND;
}

/* Runs the nodes like fm_forward for a single worker, with dense nodes that are worth it split into groups of panels, which up to `threads`
 * threads claim. */
void fm_forward_split(const fm_pass *pass, int threads);

#endif

/* The panels of a parameter that a worker has, and sums over their columns. */
#ifndef FASTMLP_OPTIM_PARAMETER_SHARD_H
#define FASTMLP_OPTIM_PARAMETER_SHARD_H

#include "engine/graph/network.h"

/* What a worker has of a parameter: some of its panels. */
typedef struct fm_parameter_shard {
    int parameter;
    fm_range panels;
    ptrdiff_t offset, n, rows, cols; /* cols: of these panels, pads left out */
} fm_parameter_shard;
fm_parameter_shard fm_shard_parameter(const fm_network *network, int p, fm_worker worker);

/* Σ|x|, unless that is NULL, and Σx² of the columns of a stretch; x points at the array it lies in, the sums are [padded units of all]. */
void fm_sum_columns(const fm_network *network, const fm_parameter_shard *s, const float *x, float *absolute, float *square);

/* The sum of a parameter's columns. */
double fm_sum_of(const fm_network *network, int p, const float *columns);

#endif

/* A worker's shard of a parameter, and sums over its columns. */
#ifndef FASTMLP_OPTIM_PARAMETER_SHARD_H
#define FASTMLP_OPTIM_PARAMETER_SHARD_H

#include "engine/graph/network.h"

/* A worker's shard of a parameter: some of its panels. */
typedef struct fm_parameter_shard {
    int parameter;
    fm_range panels;
    ptrdiff_t offset, n, rows, cols; /* cols: columns of these panels, without pads */
} fm_parameter_shard;
fm_parameter_shard fm_shard_parameter(const fm_network *network, int p, fm_worker worker);

/* Σ|x|, unless `absolute` is NULL, and Σx² of the columns of a shard. x is an array with the layout of all parameters; sums are [padded
 * units of all parameters]. */
void fm_sum_columns(const fm_network *network, const fm_parameter_shard *s, const float *x, float *absolute, float *square);

/* The sum of a parameter's columns. */
double fm_sum_of(const fm_network *network, int p, const float *columns);

#endif

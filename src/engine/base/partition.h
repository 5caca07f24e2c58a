/* Divides work among workers. */
#ifndef FASTMLP_BASE_PARTITION_H
#define FASTMLP_BASE_PARTITION_H

#include "engine/base/team.h"
#include "kernels/kernels.h"

#include <stddef.h>

/* Half-open range of this worker's items among 0 … count − 1. */
typedef struct fm_range {
    ptrdiff_t begin, end;
} fm_range;
fm_range fm_partition(ptrdiff_t count, fm_worker worker);

/* This worker's rows of a batch, in groups of 16. */
fm_range fm_partition_rows(ptrdiff_t rows, fm_worker worker);

/* This worker's part of an output of rows × panels; rows are divided at multiples of 16. */
typedef struct fm_output_shard {
    fm_range rows, panels;
    int by_rows; /* the rows are divided, as fm_partition_rows does, and each worker has all panels */
} fm_output_shard;
fm_output_shard fm_partition_output(ptrdiff_t rows, ptrdiff_t panels, fm_worker worker);

#endif

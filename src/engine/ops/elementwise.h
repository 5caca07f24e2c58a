/* Elementwise kernels over a worker's rows of a buffer. */
#ifndef FASTMLP_OPS_ELEMENTWISE_H
#define FASTMLP_OPS_ELEMENTWISE_H

#include "engine/graph/pass.h"

#include <string.h>

/* Arguments for a node's activation, or for the product of x and y. */
static inline fm_elementwise fm_elementwise_of(const fm_node *node, fm_row_shard shard, const float *x, const float *y, float *out) {
    return (fm_elementwise){
        .n = shard.n,
        .x = x + shard.begin,
        .y = y ? y + shard.begin : NULL,
        .out = out + shard.begin,
        .activation = node->spec.activation,
        .alpha = node->spec.alpha,
        .threshold = node->spec.threshold,
        .max_value = node->spec.max_value,
    };
}

static inline void fm_copy_shard(fm_row_shard shard, const float *from, float *to) {
    memcpy(to + shard.begin, from + shard.begin, (size_t)shard.n * sizeof *to);
}

#endif

/* Traits of the ops: what planning and execution need to know without knowing what an op computes. From ops/ops.def. */
#ifndef FASTMLP_GRAPH_TRAITS_H
#define FASTMLP_GRAPH_TRAITS_H

#include "fastmlp.h"

enum {
    FM_TRAIT_PARAMETERS = 1,      /* may have a kernel and a bias */
    FM_TRAIT_VECTORS = 2 | 1,     /* … which are vectors with an element for each column, like mean and variance */
    FM_TRAIT_SHARES_INPUT = 4,    /* other nodes may read its input, too */
    FM_TRAIT_STOPS_GRADIENT = 8,  /* passes no gradient to its input */
    FM_TRAIT_NO_FOLD = 16,     /* computes across a whole row of the batch, so its input must not be folded */
    FM_TRAIT_ROWWISE = 32,        /* each worker computes its rows of the batch from the same rows of the inputs, forward and backward */
    FM_TRAIT_ACTIVATION = 64,     /* an activation across the columns of a row, which plans name as the activation of a node */
};

/* True if the op has all of these traits. */
int fm_op_has(fm_op op, int traits);

/* True for ops that read `other` as well. */
static inline int fm_reads_two(fm_op op) { return fm_op_inputs(op) == 2; }

#endif

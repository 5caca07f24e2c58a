/* Validates plans. The conditions of single ops are checked by their own functions: ops/ops.def. */
#ifndef FASTMLP_GRAPH_VALIDATE_H
#define FASTMLP_GRAPH_VALIDATE_H

#include "engine/graph/network.h"
#include "engine/graph/traits.h"

static inline int fm_is_index(int i, int count) { return i >= 0 && i < count; }

/* True if the parameter is a vector of this many columns, or is −1 and not required. */
int fm_is_vector(const fm_plan *plan, int parameter, int64_t columns, int wanted);

/* 1 if all buffers that the node reads are as wide as its output. */
int fm_validate_same_width(const fm_plan *plan, const fm_node_spec *node);

/* True for nodes with trainable parameters. */
int fm_has_trainable_parameters(const fm_plan *plan, const fm_node_spec *node);

/* 1 if sizes are valid and all buffers and ops exist; parameters are checked by the ops. */
int fm_validate_plan(const fm_plan *plan);

/* 1 if each node reads buffers that are written before, and no more often than fm_plan allows; 0 if not, −1 if there is no memory. */
int fm_validate_graph(const fm_plan *plan);

/* Computes network->rows_per_sample. 0 if folds and unfolds do not match. */
int fm_count_rows(fm_network *network);

#endif

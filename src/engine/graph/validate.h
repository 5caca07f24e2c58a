/* Which plans make sense. What is particular to an op is checked by its own function: ops/ops.def. */
#ifndef FASTMLP_GRAPH_VALIDATE_H
#define FASTMLP_GRAPH_VALIDATE_H

#include "engine/graph/network.h"
#include "engine/graph/traits.h"

static inline int fm_is_index(int i, int count) { return i >= 0 && i < count; }

/* True for a parameter that is a vector of so many columns, or for -1 where none is wanted. */
int fm_is_vector(const fm_plan *plan, int parameter, int64_t columns, int wanted);

/* 1 if all that the node reads is as wide as its output. */
int fm_validate_same_width(const fm_plan *plan, const fm_node_spec *node);

/* True for nodes with parameters that the optimizer moves. */
int fm_has_trainable_parameters(const fm_plan *plan, const fm_node_spec *node);

/* 1 if the sizes of a plan make sense and there is all that its nodes name, parameters apart. */
int fm_validate_plan(const fm_plan *plan);

/* 1 if nodes read what is there when their turn comes, and buffers are read as fm_plan says; 0 if not, -1 if there is no memory. */
int fm_validate_graph(const fm_plan *plan);

/* Rows of each buffer for a row of the batch: network->per. 0 if they do not go together. */
int fm_count_rows(fm_network *network);

#endif

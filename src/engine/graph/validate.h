/* Which plans make sense. */
#ifndef FASTMLP_GRAPH_VALIDATE_H
#define FASTMLP_GRAPH_VALIDATE_H

#include "engine/graph/network.h"

#define FM_WHOLE_BELOW 16777216.0f /* 2^24: whole numbers below it are exact in a float */

int fm_is_sound_plan(const fm_plan *plan);

/* 1 if nodes read what is there when their turn comes, and buffers are read as fm_plan says; 0 if not, -1 if there is no memory. */
int fm_is_sound_graph(const fm_plan *plan);

/* Rows of each buffer for a row of the batch: network->per. 0 if they do not go together. */
int fm_count_rows(fm_network *network);

/* True for nodes that have parameters, and for those whose parameters are vectors with an element for each column. */
int fm_has_kernel(fm_op op);
int fm_has_columns(fm_op op);

/* True for nodes that move columns and rows, and that compute across columns: ops/arrange.c. */
int fm_is_arrangement(fm_op op);

/* True for nodes that read `other` as well. */
int fm_reads_two(fm_op op);

/* True for nodes with parameters that the optimizer moves. */
int fm_moves_parameters(const fm_plan *plan, const fm_node_spec *node);

#endif

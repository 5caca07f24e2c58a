/* The functions of every op, by its number. */
#ifndef FASTMLP_OPS_OPS_H
#define FASTMLP_OPS_OPS_H

#include "engine/optim/step.h"

/* Size of what a node saves for backward: floats, [rows][columns]. */
typedef struct fm_extent {
    ptrdiff_t rows, columns;
} fm_extent;

typedef struct fm_op_functions {
    int (*validate)(const fm_plan *plan, const fm_node_spec *node);                         /* 1 if valid */
    fm_extent (*saved)(const fm_network *network, const fm_node *node, ptrdiff_t rows);     /* for this many rows of its output */
    void (*forward)(const fm_pass *pass, const fm_node *node);
    void (*backward)(const fm_pass *pass, const fm_node *node, const fm_step *step);
    void (*update)(const fm_pass *pass, const fm_node *node, const fm_step *step);
} fm_op_functions;

extern const fm_op_functions fm_ops[FM_OP_COUNT];

/* 1 if each node of the plan is valid on its own; the plan has passed fm_validate_plan. */
int fm_validate_nodes(const fm_plan *plan);

#endif

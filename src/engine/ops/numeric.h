/* Encodings of numbers. */
#ifndef FASTMLP_OPS_NUMERIC_H
#define FASTMLP_OPS_NUMERIC_H

#include "engine/graph/pass.h"

/* The number of bins of all columns, −1 if edges do not ascend. */
int64_t fm_count_bins(const fm_plan *plan, const fm_node_spec *node);

int fm_validate_robust_scaling(const fm_plan *plan, const fm_node_spec *node);
int fm_validate_piecewise_linear(const fm_plan *plan, const fm_node_spec *node);
void fm_robust_scaling_forward(const fm_pass *pass, const fm_node *node);
void fm_missing_forward(const fm_pass *pass, const fm_node *node);
void fm_piecewise_linear_forward(const fm_pass *pass, const fm_node *node);

#endif

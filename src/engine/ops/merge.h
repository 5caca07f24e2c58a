/* Nodes that merge and split tensors. */
#ifndef FASTMLP_OPS_MERGE_H
#define FASTMLP_OPS_MERGE_H

#include "engine/optim/step.h"

int fm_validate_slice(const fm_plan *plan, const fm_node_spec *node);
int fm_validate_glu(const fm_plan *plan, const fm_node_spec *node);
int fm_validate_concatenate(const fm_plan *plan, const fm_node_spec *node);
void fm_merge_forward(const fm_pass *pass, const fm_node *node);
void fm_merge_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

/* Nodes that rearrange columns and rows, and those that compute across a whole row. */
#ifndef FASTMLP_OPS_ARRANGE_H
#define FASTMLP_OPS_ARRANGE_H

#include "engine/optim/step.h"

int fm_validate_parts(const fm_plan *plan, const fm_node_spec *node);
int fm_validate_unfold(const fm_plan *plan, const fm_node_spec *node);
int fm_validate_gather(const fm_plan *plan, const fm_node_spec *node);
int fm_validate_dot(const fm_plan *plan, const fm_node_spec *node);
void fm_arrange_forward(const fm_pass *pass, const fm_node *node);
void fm_arrange_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

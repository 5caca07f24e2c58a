/* Dense layers. */
#ifndef FASTMLP_OPS_DENSE_H
#define FASTMLP_OPS_DENSE_H

#include "engine/optim/step.h"

int fm_validate_dense(const fm_plan *plan, const fm_node_spec *node);
void fm_dense_forward(const fm_pass *pass, const fm_node *node);
void fm_dense_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

/* Dense layers. */
#ifndef FASTMLP_OPS_DENSE_H
#define FASTMLP_OPS_DENSE_H

#include "engine/optim/step.h"

int fm_validate_dense(const fm_plan *plan, const fm_node_spec *node);
void fm_dense_forward(const fm_pass *pass, const fm_node *node);
/* The gradient before the activation, and that of the input, if needed; the weights are updated when no node reads them any more. */
void fm_dense_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);
void fm_dense_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

/* Whether each worker takes its rows of the batch alone: in forward, in backward. */
int fm_dense_is_rowwise(const fm_pass *pass, const fm_node *node);
int fm_dense_is_backward_rowwise(const fm_pass *pass, const fm_node *node);

#endif

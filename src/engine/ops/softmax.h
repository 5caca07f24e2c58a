/* Activations over the columns of a row. */
#ifndef FASTMLP_OPS_SOFTMAX_H
#define FASTMLP_OPS_SOFTMAX_H

#include "engine/optim/step.h"

void fm_softmax_forward(const fm_pass *pass, const fm_node *node);
void fm_softmax_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

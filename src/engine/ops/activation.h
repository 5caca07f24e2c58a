/* Elementwise activations and activity regularization. */
#ifndef FASTMLP_OPS_ACTIVATION_H
#define FASTMLP_OPS_ACTIVATION_H

#include "engine/optim/step.h"

void fm_activation_forward(const fm_pass *pass, const fm_node *node);
void fm_activation_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

void fm_activity_forward(const fm_pass *pass, const fm_node *node);
void fm_activity_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

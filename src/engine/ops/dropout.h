/* Dropouts and Gaussian noise. */
#ifndef FASTMLP_OPS_DROPOUT_H
#define FASTMLP_OPS_DROPOUT_H

#include "engine/ops/ops.h"

int fm_validate_dropout(const fm_plan *plan, const fm_node_spec *node);
fm_extent fm_dropout_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows);
void fm_dropout_forward(const fm_pass *pass, const fm_node *node);
void fm_dropout_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);
void fm_gaussian_noise_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

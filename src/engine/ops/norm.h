/* Normalizations, Rescaling and PReLU. */
#ifndef FASTMLP_OPS_NORM_H
#define FASTMLP_OPS_NORM_H

#include "engine/ops/ops.h"

int fm_validate_norm(const fm_plan *plan, const fm_node_spec *node);
fm_extent fm_layer_norm_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows);
fm_extent fm_batch_norm_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows);

void fm_norm_forward(const fm_pass *pass, const fm_node *node);

/* True for batch norm with the moments of the batch. */
int fm_uses_batch_moments(const fm_pass *pass, const fm_node *node);

/* The gradient of the input, if needed, and the step of the parameters; begins after a barrier, ends without one. */
void fm_norm_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

/* Updates the moving statistics of all batch norms; once in each batch that updates parameters. */
void fm_update_moving_statistics(const fm_pass *pass);

#endif

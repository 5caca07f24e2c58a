/* Periodic embeddings. */
#ifndef FASTMLP_OPS_PERIODIC_H
#define FASTMLP_OPS_PERIODIC_H

#include "engine/ops/ops.h"

int fm_validate_periodic(const fm_plan *plan, const fm_node_spec *node);
fm_extent fm_periodic_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows);
void fm_periodic_forward(const fm_pass *pass, const fm_node *node);
void fm_periodic_backward(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

/* Vectors of numbers that are interpolated in bins. */
#ifndef FASTMLP_OPS_BIN_EMBEDDING_H
#define FASTMLP_OPS_BIN_EMBEDDING_H

#include "engine/graph/pass.h"
#include "engine/optim/step.h"

int fm_validate_bin_embedding(const fm_plan *plan, const fm_node_spec *node);
void fm_bin_embedding_forward(const fm_pass *pass, const fm_node *node);
void fm_bin_embedding_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

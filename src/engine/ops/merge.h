/* Nodes that join tensors and part them. */
#ifndef FASTMLP_OPS_MERGE_H
#define FASTMLP_OPS_MERGE_H

#include "engine/graph/pass.h"

void fm_merge_forward(const fm_pass *pass, const fm_node *node);
void fm_merge_backward(const fm_pass *pass, const fm_node *node);

#endif

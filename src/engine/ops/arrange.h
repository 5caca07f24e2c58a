/* Nodes that move columns and rows, and those that compute across them. */
#ifndef FASTMLP_OPS_ARRANGE_H
#define FASTMLP_OPS_ARRANGE_H

#include "engine/graph/pass.h"

void fm_arrange_forward(const fm_pass *pass, const fm_node *node);
void fm_arrange_backward(const fm_pass *pass, const fm_node *node);

#endif

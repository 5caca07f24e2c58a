/* The first layer on sparse input. */
#ifndef FASTMLP_OPS_DENSE_SPARSE_H
#define FASTMLP_OPS_DENSE_SPARSE_H

#include "engine/optim/step.h"

void fm_spmm_forward(const fm_pass *pass, const fm_node *node);
void fm_spmm_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

/* The three products of a dense node. */
#ifndef FASTMLP_OPS_GEMM_H
#define FASTMLP_OPS_GEMM_H

#include "engine/optim/step.h"

/* Rows of a block whose operand has `depth` floats a row, and room for such an operand of any layer and any depth up to `depth`. */
ptrdiff_t fm_mc_for_depth(ptrdiff_t depth);
ptrdiff_t fm_packed_floats(const fm_network *network, ptrdiff_t depth);

/* Floats from panel to panel, and from strip to strip, of the gradient of a node's sums. */
ptrdiff_t fm_grad_panel_floats(const fm_network *network, const fm_workspace *workspace, const fm_node *node);
ptrdiff_t fm_grad_t_panel_floats(const fm_node *node);

void fm_gemm_forward(const fm_pass *pass, const fm_node *node);
void fm_gemm_input_gradient(const fm_pass *pass, const fm_node *node);
void fm_gemm_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step);
void fm_gemm_bias_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

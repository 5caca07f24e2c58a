/* The three matrix products of a dense node. */
#ifndef FASTMLP_OPS_GEMM_H
#define FASTMLP_OPS_GEMM_H

#include "engine/optim/step.h"

/* MC for an operand of `depth` floats a row, and the floats of a packed operand for any layer and any depth up to `depth`. */
ptrdiff_t fm_mc_for_depth(ptrdiff_t depth);
ptrdiff_t fm_packed_floats(const fm_network *network, ptrdiff_t depth);

/* Panel strides of the gradient before the activation, and of its transpose. */
ptrdiff_t fm_grad_panel_floats(const fm_network *network, const fm_workspace *workspace, const fm_node *node);
ptrdiff_t fm_grad_t_panel_floats(const fm_node *node);

/* Where a dense node with an activation fused into it saves the activation's derivative for its backward pass; NULL if there is none. */
float *fm_saved_derivative(const fm_pass *pass, const fm_node *node);

void fm_gemm_forward(const fm_pass *pass, const fm_node *node);
/* The rows and panels of a shard alone. */
void fm_gemm_forward_shard(const fm_pass *pass, const fm_node *node, fm_output_shard shard);
/* Whether dX of this pass reads the gradient of the output transposed. */
int fm_reads_grad_t(const fm_pass *pass, const fm_node *node);

/* How dX is divided: its rows are columns of the input, its panels 16 rows of the batch. */
fm_output_shard fm_partition_input_gradient(const fm_pass *pass, const fm_node *node);
void fm_gemm_input_gradient(const fm_pass *pass, const fm_node *node);
void fm_gemm_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step);
void fm_gemm_bias_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

#endif

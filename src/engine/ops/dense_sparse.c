/* The first layer on sparse input: images, one-hot and bag-of-words features. It reads the CSR and CSC of data/sparse.c. Skipping zeros
 * changes no bit (kernels.h), so the choice is invisible. */
#include "engine/ops/dense_sparse.h"
#include "engine/data/sparse.h"
#include "engine/ops/gemm.h"

#include <string.h>

void fm_spmm_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_csr_rows *rows = &pass->workspace->csr;
    const fm_output_shard shard = fm_partition_output(pass->rows, node->panels, pass->worker);
    const ptrdiff_t c_row = network->stride[node->spec.output], begin = shard.rows.begin * c_row + shard.panels.begin * FM_PANEL;
    const fm_node *activation = node->fused ? node->fused : node;
    float *derivative = fm_saved_derivative(pass, node);
    const fm_spmm product = {
        .rows = shard.rows.end - shard.rows.begin,
        .panels = shard.panels.end - shard.panels.begin,
        .begin = rows->begin + shard.rows.begin,
        .end = rows->end + shard.rows.begin,
        .index = rows->index,
        .value = rows->value,
        .b = network->value + node->kernel + shard.panels.begin * node->inputs * FM_PANEL,
        .b_step = FM_PANEL,
        .b_panel = node->inputs * FM_PANEL,
        .c = pass->workspace->value[activation->spec.output] + begin,
        .c_row = c_row,
        .c_panel = FM_PANEL,
        .epilogue = 1,
        .bias = node->bias < 0 ? NULL : network->value + node->bias + shard.panels.begin * FM_PANEL,
        .activation = activation->spec.activation,
        .alpha = activation->spec.alpha,
        .threshold = activation->spec.threshold,
        .max_value = activation->spec.max_value,
        .derivative = derivative ? derivative + begin : NULL,
    };
    network->kernels->spmm(&product);
}

/* Applies the step to a panel of these columns or, with `update` NULL, stores their gradient. */
static void apply_step_to_columns(const fm_network *network, const fm_step *step, ptrdiff_t offset, const int32_t *column, ptrdiff_t count,
                                  const float *gradient) {
    if (!step->update) {
        for (ptrdiff_t i = 0; i < count; i++)
            memcpy(network->gradient + offset + column[i] * (ptrdiff_t)FM_PANEL, gradient + i * FM_PANEL, FM_PANEL * sizeof *gradient);
        return;
    }
    fm_update update = step->constants;
    update.n = count * FM_PANEL;
    update.w = network->value + offset;
    update.g = gradient;
    update.index = column;
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        update.slot[s] = network->slot[s] ? network->slot[s] + offset : NULL;
    step->update(&update);
}

static void update_columns(const fm_pass *pass, const fm_node *node, const fm_step *step, const fm_csc *csc, fm_range panels) {
    const fm_network *network = pass->network;
    const ptrdiff_t panel_size = node->inputs * FM_PANEL;
    float *scratch = fm_scratch(pass);
    /* The gradient of empty columns is zero. Optimizer steps on it are deferred (optim/deferred.c), but the gradient array has to
     * contain it. */
    for (ptrdiff_t panel = panels.begin; panel < panels.end && !step->update; panel++)
        memset(network->gradient + node->kernel + panel * panel_size + csc->range.begin * FM_PANEL, 0,
               (size_t)((csc->range.end - csc->range.begin) * FM_PANEL) * sizeof(float));
    /* Panels in the outer loop: NC columns of the gradient, all rows of the batch, stay in L1 while the columns gather from them. */
    for (ptrdiff_t panel = panels.begin; panel < panels.end; panel += FM_NC_PANELS)
        for (ptrdiff_t i = 0; i < csc->count; i += FM_MIN_MC) {
            const ptrdiff_t left = panels.end - panel, columns_left = csc->count - i;
            const fm_spmm product = {
                .rows = columns_left < FM_MIN_MC ? columns_left : FM_MIN_MC,
                .panels = left < FM_NC_PANELS ? left : FM_NC_PANELS,
                .begin = csc->begin + i,
                .end = csc->end + i,
                .index = csc->index,
                .value = csc->value,
                .b = pass->workspace->grad_panels[node->spec.output] + panel * fm_grad_panel_floats(pass->network, pass->workspace, node),
                .b_step = FM_PANEL,
                .b_panel = fm_grad_panel_floats(pass->network, pass->workspace, node),
                .c = scratch,
                .c_row = FM_PANEL,
                .c_panel = FM_SCRATCH_PANEL,
            };
            network->kernels->spmm(&product);
            for (ptrdiff_t j = 0; j < product.panels; j++)
                apply_step_to_columns(network, step, node->kernel + (panel + j) * panel_size, csc->column + i, product.rows,
                                      scratch + j * FM_SCRATCH_PANEL);
        }
}

void fm_spmm_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_column_shard shard = fm_shard_columns(pass, node);
    for (int i = 0; i < shard.count; i++)
        update_columns(pass, node, step, shard.csc + i, shard.panels);
}

/* A first layer that visits only what is not zero: images, one-hot and bag-of-words columns. It reads the lists of data/lists.c.
 *
 * Leaving zeros out changes no bit (kernels.h), so nobody needs to know.
 */
#include "engine/ops/dense_sparse.h"
#include "engine/data/lists.h"
#include "engine/ops/gemm.h"

#include <string.h>

void fm_sparse_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_lists *rows = &pass->workspace->by_row;
    const fm_part part = fm_share_output(pass->rows, node->panels, pass->worker);
    const ptrdiff_t c_row = network->stride[node->spec.output];
    const fm_sparse product = {
        .rows = part.rows.end - part.rows.begin,
        .panels = part.panels.end - part.panels.begin,
        .begin = rows->begin + part.rows.begin,
        .end = rows->end + part.rows.begin,
        .index = rows->index,
        .value = rows->value,
        .b = network->value + node->kernel + part.panels.begin * node->inputs * FM_PANEL,
        .b_step = FM_PANEL,
        .b_panel = node->inputs * FM_PANEL,
        .c = pass->workspace->value[node->spec.output] + part.rows.begin * c_row + part.panels.begin * FM_PANEL,
        .c_row = c_row,
        .c_panel = FM_PANEL,
        .finish = 1,
        .bias = node->bias < 0 ? NULL : network->value + node->bias + part.panels.begin * FM_PANEL,
        .activation = node->spec.activation,
        .alpha = node->spec.alpha,
    };
    network->kernels->sparse_product(&product);
}

/* The optimizer's step, or with no rule the gradient's way to its array, for a panel of these columns. */
static void apply_to_columns(const fm_network *network, const fm_step *step, ptrdiff_t offset, const int32_t *column, ptrdiff_t count,
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

static void update_columns(const fm_pass *pass, const fm_node *node, const fm_step *step, const fm_column_lists *columns, fm_range panels) {
    const fm_network *network = pass->network;
    const ptrdiff_t panel_size = node->inputs * FM_PANEL;
    float *scratch = fm_scratch(pass);
    /* The gradient of columns where nothing stands is zero. An optimizer's steps on it are put off (optim/deferred.c); the array is to show it. */
    for (ptrdiff_t panel = panels.begin; panel < panels.end && !step->update; panel++)
        memset(network->gradient + node->kernel + panel * panel_size + columns->range.begin * FM_PANEL, 0,
               (size_t)((columns->range.end - columns->range.begin) * FM_PANEL) * sizeof(float));
    /* Panels outside: four panels of the gradient, all rows of the batch, stay in the first cache while the columns pick from them. */
    for (ptrdiff_t panel = panels.begin; panel < panels.end; panel += FM_BLOCK_PANELS)
        for (ptrdiff_t i = 0; i < columns->count; i += FM_STRIP_ROWS) {
            const ptrdiff_t left = panels.end - panel, columns_left = columns->count - i;
            const fm_sparse product = {
                .rows = columns_left < FM_STRIP_ROWS ? columns_left : FM_STRIP_ROWS,
                .panels = left < FM_BLOCK_PANELS ? left : FM_BLOCK_PANELS,
                .begin = columns->begin + i,
                .end = columns->end + i,
                .index = columns->index,
                .value = columns->value,
                .b = pass->workspace->panels[node->spec.output] + panel * fm_panel_floats(pass->network, pass->workspace, node),
                .b_step = FM_PANEL,
                .b_panel = fm_panel_floats(pass->network, pass->workspace, node),
                .c = scratch,
                .c_row = FM_PANEL,
                .c_panel = FM_SCRATCH_PANEL,
            };
            network->kernels->sparse_product(&product);
            for (ptrdiff_t j = 0; j < product.panels; j++)
                apply_to_columns(network, step, node->kernel + (panel + j) * panel_size, columns->column + i, product.rows,
                                 scratch + j * FM_SCRATCH_PANEL);
        }
}

void fm_sparse_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_share_of_columns share = fm_share_columns(pass, node);
    for (int i = 0; i < share.count; i++)
        update_columns(pass, node, step, share.columns + i, share.panels);
}

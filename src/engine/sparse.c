/* A first layer that visits only what is not zero: images, one-hot and bag-of-words columns.
 *
 * The rows of a batch are listed as they are gathered, which costs no more than copying them; each thread then turns its share of the
 * columns into lists too, for the weight gradient. Leaving zeros out changes no bit (kernels.h), so nobody needs to know.
 */
#include "engine.h"

#include <stdlib.h>

#define LEAST_INPUTS 64 /* narrower layers are over before the lists are made */

int fm_may_skip(const fm_network *network) {
    return network->direct_input && network->width[0] >= LEAST_INPUTS && network->skip_below > 0.0;
}

int fm_is_sparse(const fm_network *network, ptrdiff_t nonzeros, ptrdiff_t count) {
    return (double)nonzeros < network->skip_below * (double)count;
}

static void lay_lists(fm_layout *layout, ptrdiff_t lists, ptrdiff_t room, size_t at[3]) {
    at[0] = fm_layout_add(layout, lists, 2, sizeof(ptrdiff_t));
    at[1] = fm_layout_add(layout, lists, room, sizeof(int32_t));
    at[2] = fm_layout_add(layout, lists, room, sizeof(float));
}

static fm_lists point_lists(char *memory, const size_t at[3], ptrdiff_t lists) {
    ptrdiff_t *begin = (ptrdiff_t *)(memory + at[0]);
    return (fm_lists){(int32_t *)(memory + at[1]), (float *)(memory + at[2]), begin, begin + lists};
}

fm_status fm_need_lists(const fm_network *network, fm_workspace *w, int columns) {
    if (w->list_memory)
        return FM_OK;
    const ptrdiff_t inputs = network->width[0];
    fm_layout layout = {0, 0};
    size_t rows_at[3], columns_at[3];
    lay_lists(&layout, w->rows, inputs, rows_at);
    if (columns)
        lay_lists(&layout, inputs, w->rows, columns_at);
    w->list_memory = fm_layout_allocate(&layout);
    if (!w->list_memory)
        return FM_NO_MEMORY;
    w->by_row = point_lists(w->list_memory, rows_at, w->rows);
    for (ptrdiff_t r = 0; r < w->rows; r++)
        w->by_row.begin[r] = r * inputs;
    if (columns)
        w->by_column = point_lists(w->list_memory, columns_at, inputs);
    for (ptrdiff_t c = 0; columns && c < inputs; c++)
        w->by_column.begin[c] = c * w->rows;
    return FM_OK;
}

void fm_compress_row(const fm_network *network, fm_workspace *w, ptrdiff_t row, const float *x) {
    const fm_lists *lists = &w->by_row;
    ptrdiff_t count;
    const fm_compress compress = {
        .n = network->width[0],
        .x = x,
        .index = lists->index + lists->begin[row],
        .value = lists->value + lists->begin[row],
        .count = &count,
    };
    network->kernels->compress(&compress);
    lists->end[row] = lists->begin[row] + count;
}

/* The first entry of a row at or after a column. */
static ptrdiff_t find_column(const fm_lists *rows, ptrdiff_t row, ptrdiff_t column) {
    ptrdiff_t low = rows->begin[row], high = rows->end[row];
    while (low < high) {
        const ptrdiff_t middle = low + (high - low) / 2;
        if (rows->index[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void fm_list_columns(const fm_pass *pass) {
    const fm_lists *rows = &pass->workspace->by_row, *columns = &pass->workspace->by_column;
    const fm_range share = fm_share(pass->network->width[0], pass->worker);
    for (ptrdiff_t c = share.begin; c < share.end; c++)
        columns->end[c] = columns->begin[c];
    for (ptrdiff_t r = 0; r < pass->rows; r++) {
        const ptrdiff_t end = share.end == pass->network->width[0] ? rows->end[r] : find_column(rows, r, share.end);
        for (ptrdiff_t e = find_column(rows, r, share.begin); e < end; e++) {
            const ptrdiff_t to = columns->end[rows->index[e]]++;
            columns->index[to] = (int32_t)r;
            columns->value[to] = rows->value[e];
        }
    }
}

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

void fm_sparse_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    const fm_lists *columns = &pass->workspace->by_column;
    const fm_part part = fm_share_output(node->inputs, node->panels, pass->worker);
    float *scratch = fm_scratch(pass);
    /* Panels outside: four panels of the gradient, all rows of the batch, stay in the first cache while the columns pick from them. */
    for (ptrdiff_t panel = part.panels.begin; panel < part.panels.end; panel += FM_BLOCK_PANELS)
        for (ptrdiff_t k = part.rows.begin; k < part.rows.end; k += FM_STRIP_ROWS) {
            const ptrdiff_t left = part.panels.end - panel, rows_left = part.rows.end - k;
            const fm_sparse product = {
                .rows = rows_left < FM_STRIP_ROWS ? rows_left : FM_STRIP_ROWS,
                .panels = left < FM_BLOCK_PANELS ? left : FM_BLOCK_PANELS,
                .begin = columns->begin + k,
                .end = columns->end + k,
                .index = columns->index,
                .value = columns->value,
                .b = pass->workspace->panels[node->spec.output] + panel * fm_panel_floats(pass->workspace),
                .b_step = FM_PANEL,
                .b_panel = fm_panel_floats(pass->workspace),
                .c = scratch,
                .c_row = FM_PANEL,
                .c_panel = FM_SCRATCH_PANEL,
            };
            network->kernels->sparse_product(&product);
            for (ptrdiff_t j = 0; j < product.panels; j++)
                fm_apply_step(network, step, node->kernel + ((panel + j) * node->inputs + k) * FM_PANEL, product.rows * FM_PANEL,
                              scratch + j * FM_SCRATCH_PANEL);
        }
}

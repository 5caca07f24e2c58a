/* The three products of a dense node, cut into blocks that stay in cache and shared out over threads.
 *
 * Each works on a block of rows of its output and a few panels or strips of 16 columns, whose sums stay in registers or in scratch; the
 * operand of the rows stays in the second cache while the panels stream past. What follows a product, the activation's
 * derivative or the optimizer's step, is done to a block while it is still in the first cache.
 */
#include "engine/ops/gemm.h"

#define FIRST_CACHE_FLOATS (8 << 10) /* 32 KiB */

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* Terms per visit of c: the sum cut into equal parts of whole 16s, none longer than FM_DEPTH_BLOCK. */
static ptrdiff_t depth_block(ptrdiff_t depth) {
    const ptrdiff_t parts = (depth + FM_DEPTH_BLOCK - 1) / FM_DEPTH_BLOCK;
    return FM_ROUND_UP((depth + parts - 1) / parts);
}

ptrdiff_t fm_block_rows(ptrdiff_t depth) {
    const ptrdiff_t rows = FM_BLOCK_FLOATS / depth / FM_STRIP_ROWS * FM_STRIP_ROWS;
    return rows < FM_STRIP_ROWS ? FM_STRIP_ROWS : rows > FM_BLOCK_ROWS ? FM_BLOCK_ROWS : rows;
}

ptrdiff_t fm_packed_floats(const fm_network *network, ptrdiff_t depth) {
    const ptrdiff_t of_shallow = smaller(FM_BLOCK_FLOATS, FM_BLOCK_ROWS * depth), of_deep = FM_STRIP_ROWS * depth;
    ptrdiff_t inputs = 0; /* of the layers that pack: pays_to_pack */
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (node->spec.op == FM_OP_dense && node->panels >= FM_BLOCK_PANELS && node->inputs > inputs)
            inputs = node->inputs;
    }
    return smaller(inputs * depth, of_shallow > of_deep ? of_shallow : of_deep);
}

/* Where the layer above makes it, it comes 16 rows at a time. */
ptrdiff_t fm_panel_floats(const fm_network *network, const fm_workspace *workspace, const fm_node *node) {
    const ptrdiff_t rows = fm_capacity(network, workspace, node->spec.output);
    return (node->in_panels ? FM_ROUND_UP(rows) : rows) * FM_PANEL;
}

ptrdiff_t fm_strip_floats(const fm_node *node) { return node->panels * FM_PANEL * FM_PANEL; }

void fm_gemm_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    const int from_input = node->spec.input == 0;
    const float *a = from_input ? pass->input : pass->workspace->value[node->spec.input];
    const ptrdiff_t a_row = from_input ? pass->input_row : network->stride[node->spec.input];
    float *c = pass->workspace->value[node->spec.output];
    const ptrdiff_t c_row = network->stride[node->spec.output];
    const float *kernel = network->value + node->kernel;
    const fm_part part = fm_share_output(batch_rows, node->panels, pass->worker);
    /* Few rows meet each weight once: there is nothing to keep in cache. */
    const ptrdiff_t block = batch_rows <= FM_PANEL ? node->inputs : depth_block(node->inputs);
    for (ptrdiff_t row = part.rows.begin; row < part.rows.end; row += FM_BLOCK_ROWS)
        for (ptrdiff_t p = 0; p < node->inputs && part.panels.begin < part.panels.end; p += block) {
            const fm_gemm product = {
                .rows = smaller(FM_BLOCK_ROWS, part.rows.end - row),
                .depth = smaller(block, node->inputs - p),
                .panels = part.panels.end - part.panels.begin,
                .a = a + row * a_row + p,
                .a_row = a_row,
                .b = kernel + (part.panels.begin * node->inputs + p) * FM_PANEL,
                .b_step = FM_PANEL,
                .b_panel = node->inputs * FM_PANEL,
                .c = c + row * c_row + part.panels.begin * FM_PANEL,
                .c_row = c_row,
                .c_panel = FM_PANEL,
                .carry = p > 0,
                .finish = p + block >= node->inputs,
                .bias = node->bias < 0 ? NULL : network->value + node->bias + part.panels.begin * FM_PANEL,
                .activation = node->spec.activation,
                .alpha = node->spec.alpha,
            };
            network->kernels->gemm_forward(&product);
        }
}

/* The sums of one strip, [rows][16 of the batch], on their way back through the layer below: transposed, times its derivative. */
static void finish_strip(const fm_pass *pass, const fm_node *node, ptrdiff_t k, ptrdiff_t rows, ptrdiff_t strip, const float *sums) {
    const fm_network *network = pass->network;
    const fm_workspace *workspace = pass->workspace;
    const int below = node->spec.input;
    const fm_node *producer = node->producer;
    const ptrdiff_t b = strip * FM_PANEL, stride = network->stride[below];
    const int in_panels = producer->in_panels;
    const fm_transpose back = {
        .rows = FM_PANEL,
        .cols = rows,
        .in = sums,
        .in_row = FM_PANEL,
        .values = producer->derived ? workspace->value[below] + b * stride + k : NULL,
        .values_row = stride,
        .out = in_panels ? workspace->panels[below] + k / FM_PANEL * fm_panel_floats(network, workspace, producer) + b * FM_PANEL
                         : workspace->grad[below] + b * stride + k,
        .out_row = in_panels ? FM_PANEL : stride,
        .out_panel = in_panels ? fm_panel_floats(network, workspace, producer) : FM_PANEL,
        .out_t = in_panels && producer->trained_below ? workspace->strips[below] + strip * fm_strip_floats(producer) + k * FM_PANEL : NULL,
        .out_t_row = FM_PANEL,
        .activation = producer->spec.activation,
        .alpha = producer->spec.alpha,
    };
    network->kernels->transpose(&back);
}

/* dX[b][k] = Σ_n dY[b][n]·W[k][n], with the batch as the vector axis: W is read where it lies, and dYᵀ was made on the way here. */
void fm_gemm_input_gradient(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    const fm_workspace *workspace = pass->workspace;
    const float *strips_of_grad = workspace->strips[node->spec.output];
    const ptrdiff_t most_rows = fm_block_rows(node->units);
    float *scratch = fm_scratch(pass);
    const fm_part part = fm_share_output(node->inputs, FM_ROUND_UP(batch_rows) / FM_PANEL, pass->worker);
    const ptrdiff_t block = depth_block(node->units);
    for (ptrdiff_t k = part.rows.begin; k < part.rows.end; k += most_rows)
        for (ptrdiff_t strip = part.panels.begin; strip < part.panels.end; strip += FM_BLOCK_PANELS) {
            const ptrdiff_t rows = smaller(most_rows, part.rows.end - k);
            const ptrdiff_t strips = smaller(FM_BLOCK_PANELS, part.panels.end - strip);
            for (ptrdiff_t p = 0; p < node->units; p += block) {
                const fm_gemm product = {
                    .rows = rows,
                    .depth = smaller(block, node->units - p),
                    .panels = strips,
                    .a = network->value + node->kernel + p * node->inputs + k * FM_PANEL,
                    .a_step = node->inputs * FM_PANEL,
                    .b = strips_of_grad + strip * fm_strip_floats(node) + p * FM_PANEL,
                    .b_step = FM_PANEL,
                    .b_panel = fm_strip_floats(node),
                    .c = scratch,
                    .c_row = FM_PANEL,
                    .c_panel = FM_SCRATCH_PANEL,
                    .carry = p > 0,
                };
                network->kernels->gemm_dx(&product);
            }
            for (ptrdiff_t s = 0; s < strips; s++)
                finish_strip(pass, node, k, rows, strip + s, scratch + s * FM_SCRATCH_PANEL);
        }
}

/* db[n] = Σ_b dY[b][n]. */
void fm_gemm_bias_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    if (!node->bias_moves)
        return;
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    float *scratch = fm_scratch(pass);
    const fm_range panels = fm_share(node->panels, pass->worker);
    for (ptrdiff_t panel = panels.begin; panel < panels.end; panel += FM_BLOCK_ROWS) {
        const fm_column_sums sums = {
            .rows = batch_rows,
            .cols = smaller(FM_BLOCK_ROWS, panels.end - panel) * FM_PANEL,
            .in = pass->workspace->panels[node->spec.output] + panel * fm_panel_floats(pass->network, pass->workspace, node),
            .in_row = FM_PANEL,
            .in_panel = fm_panel_floats(pass->network, pass->workspace, node),
            .out = scratch,
        };
        network->kernels->column_sums(&sums);
        fm_apply_step(network, step, node->bias + panel * FM_PANEL, sums.cols, scratch);
    }
}

/* Whether a block of the inputs, read again for every few panels, is better copied into the order in which it is read. */
static int pays_to_pack(ptrdiff_t floats, ptrdiff_t panels) { return floats >= FIRST_CACHE_FLOATS && panels >= FM_BLOCK_PANELS; }

/* dW[k][n] = Σ_b X[b][k]·dY[b][n], each block handed to the optimizer as soon as it is summed. */
void fm_gemm_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    const int from_input = node->spec.input == 0;
    const float *x = from_input ? pass->input : pass->workspace->value[node->spec.input];
    const ptrdiff_t x_row = from_input ? pass->input_row : network->stride[node->spec.input];
    const float *grad = pass->workspace->panels[node->spec.output];
    const ptrdiff_t grad_panel = fm_panel_floats(pass->network, pass->workspace, node);
    float *scratch = fm_scratch(pass);
    float *packed = pass->workspace->packed + pass->worker.id * pass->workspace->packed_floats;
    const fm_part part = fm_share_output(node->inputs, node->panels, pass->worker);
    const ptrdiff_t block = depth_block(batch_rows), most_rows = fm_block_rows(FM_ROUND_UP(batch_rows));
    for (ptrdiff_t k = part.rows.begin; k < part.rows.end; k += most_rows) {
        const ptrdiff_t rows = smaller(most_rows, part.rows.end - k);
        const int packs = pays_to_pack(rows * batch_rows, part.panels.end - part.panels.begin);
        for (ptrdiff_t p = 0; packs && p < batch_rows; p += block) {
            const fm_pack pack = {rows, smaller(block, batch_rows - p), x + p * x_row + k, x_row, packed + p * rows};
            network->kernels->pack(&pack);
        }
        for (ptrdiff_t panel = part.panels.begin; panel < part.panels.end; panel += FM_BLOCK_PANELS) {
            const ptrdiff_t panels = smaller(FM_BLOCK_PANELS, part.panels.end - panel);
            for (ptrdiff_t p = 0; p < batch_rows; p += block) {
                const fm_gemm product = {
                    .rows = rows,
                    .depth = smaller(block, batch_rows - p),
                    .panels = panels,
                    .a = packs ? packed + p * rows : x + p * x_row + k,
                    .a_step = packs ? 0 : x_row,
                    .b = grad + panel * grad_panel + p * FM_PANEL,
                    .b_step = FM_PANEL,
                    .b_panel = grad_panel,
                    .c = scratch,
                    .c_row = FM_PANEL,
                    .c_panel = FM_SCRATCH_PANEL,
                    .carry = p > 0,
                };
                network->kernels->gemm_dw(&product);
            }
            for (ptrdiff_t j = 0; j < panels; j++)
                fm_apply_step(network, step, node->kernel + ((panel + j) * node->inputs + k) * FM_PANEL, rows * FM_PANEL,
                              scratch + j * FM_SCRATCH_PANEL);
        }
    }
}

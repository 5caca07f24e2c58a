/* The three matrix products of a dense node, blocked for caches and divided among threads.
 *
 * Each product computes MC rows of its output by NC columns at a time; sums stay in registers or in scratch. The MC × depth operand
 * stays in L2 while panels stream past. The epilogue, the activation's derivative or the optimizer's step, is applied to a block while
 * it is in L1.
 */
#include "engine/ops/gemm.h"

#include <string.h>

#define L1_FLOATS (8 << 10) /* 32 KiB */

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* KC for this depth: the sum is divided into equal multiples of 16, none longer than FM_KC. */
static ptrdiff_t kc_for_depth(ptrdiff_t depth) {
    const ptrdiff_t parts = (depth + FM_KC - 1) / FM_KC;
    return FM_ROUND_UP((depth + parts - 1) / parts);
}

ptrdiff_t fm_mc_for_depth(ptrdiff_t depth) {
    const ptrdiff_t rows = FM_L2_BLOCK_FLOATS / depth / FM_MIN_MC * FM_MIN_MC;
    return rows < FM_MIN_MC ? FM_MIN_MC : rows > FM_MC ? FM_MC : rows;
}

ptrdiff_t fm_packed_floats(const fm_network *network, ptrdiff_t depth) {
    const ptrdiff_t of_shallow = smaller(FM_L2_BLOCK_FLOATS, FM_MC * depth), of_deep = FM_MIN_MC * depth;
    ptrdiff_t inputs = 0; /* of the layers that pack: see pays_to_pack */
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (node->spec.op == FM_OP_dense && node->panels >= FM_NC_PANELS && node->inputs > inputs)
            inputs = node->inputs;
    }
    return smaller(inputs * depth, of_shallow > of_deep ? of_shallow : of_deep);
}

/* The dX epilogue of the layer above writes 16 rows at a time. */
ptrdiff_t fm_grad_panel_floats(const fm_network *network, const fm_workspace *workspace, const fm_node *node) {
    const ptrdiff_t rows = fm_capacity(network, workspace, node->spec.output);
    return (node->grad_in_panels ? FM_ROUND_UP(rows) : rows) * FM_PANEL;
}

ptrdiff_t fm_grad_t_panel_floats(const fm_node *node) { return node->panels * FM_PANEL * FM_PANEL; }

float *fm_saved_derivative(const fm_pass *pass, const fm_node *node) {
    return node->fused && node->has_grad && pass->training && (pass->workspace->room & FM_ROOM_FOR_GRADIENTS)
               ? pass->workspace->value[node->spec.output]
               : NULL;
}

/* The epilogue computes the activation node that is fused into the dense node, from its own output `at` on. */
static void set_fused_epilogue(const fm_pass *pass, const fm_node *node, ptrdiff_t at, fm_gemm *product) {
    const fm_node_spec *activation = &node->fused->spec;
    float *derivative = fm_saved_derivative(pass, node);
    product->c = pass->workspace->value[activation->output] + at;
    product->activation = activation->activation;
    product->alpha = activation->alpha;
    product->threshold = activation->threshold;
    product->max_value = activation->max_value;
    product->derivative = derivative ? derivative + at : NULL;
}

/* The rows that a node reads: those of the network's input, which may lie with the user, or of a buffer. */
typedef struct fm_rows_of_input {
    const float *first;
    ptrdiff_t row; /* floats from row to row */
} fm_rows_of_input;

static inline __attribute__((always_inline)) fm_rows_of_input rows_of_input(const fm_pass *pass, const fm_node *node) {
    const int input = node->spec.input;
    if (input == 0)
        return (fm_rows_of_input){pass->input, pass->input_row};
    return (fm_rows_of_input){pass->workspace->value[input], pass->network->stride[input]};
}

/* Inlined wherever it is called, so that a prediction of one row, which calls it for every layer, pays for nothing that it does not need. */
static inline __attribute__((always_inline)) void forward_shard(const int is_fused, const fm_pass *pass, const fm_node *node,
                                                                fm_output_shard shard) {
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    const fm_rows_of_input a = rows_of_input(pass, node);
    float *c = pass->workspace->value[node->spec.output];
    const ptrdiff_t c_row = network->stride[node->spec.output];
    const float *kernel = network->value + node->kernel;
    /* A few rows read each weight once: nothing to keep in cache. */
    const ptrdiff_t block = batch_rows <= FM_PANEL ? node->inputs : kc_for_depth(node->inputs);
    for (ptrdiff_t row = shard.rows.begin; row < shard.rows.end; row += FM_MC)
        for (ptrdiff_t p = 0; p < node->inputs && shard.panels.begin < shard.panels.end; p += block) {
            const ptrdiff_t at = row * c_row + shard.panels.begin * FM_PANEL;
            fm_gemm product = {
                .rows = smaller(FM_MC, shard.rows.end - row),
                .depth = smaller(block, node->inputs - p),
                .panels = shard.panels.end - shard.panels.begin,
                .a = a.first + row * a.row + p,
                .a_row = a.row,
                .b = kernel + (shard.panels.begin * node->inputs + p) * FM_PANEL,
                .b_step = FM_PANEL,
                .b_panel = node->inputs * FM_PANEL,
                .c = c + at,
                .c_row = c_row,
                .c_panel = FM_PANEL,
                .streams = node->spec.input == 0 && pass->streams_input,
                .accumulate = p > 0,
                .epilogue = p + block >= node->inputs,
                .bias = node->bias < 0 ? NULL : network->value + node->bias + shard.panels.begin * FM_PANEL,
                .activation = node->spec.activation,
                .alpha = node->spec.alpha,
            };
            if (is_fused)
                set_fused_epilogue(pass, node, at, &product);
            network->kernels->gemm_forward(&product);
        }
}

void fm_gemm_forward(const fm_pass *pass, const fm_node *node) {
    const fm_output_shard shard = fm_partition_output(fm_rows(pass, node->spec.output), node->panels, pass->worker);
    if (node->fused)
        forward_shard(1, pass, node, shard);
    else
        forward_shard(0, pass, node, shard);
}

void fm_gemm_forward_shard(const fm_pass *pass, const fm_node *node, fm_output_shard shard) {
    forward_shard(node->fused != NULL, pass, node, shard);
}

#define FEW_ROWS 8 /* so few samples fill less than half of the lanes of a product that is vectorized over samples */

static int is_of_few(const fm_pass *pass, const fm_node *node) { return fm_rows(pass, node->spec.output) <= FEW_ROWS; }

int fm_reads_grad_t(const fm_pass *pass, const fm_node *node) { return node->needs_input_grad && !is_of_few(pass, node); }

/* The node whose sums get the gradient of the node's input: below an activation that a dense node computes it is that node, whose buffer has the
 * derivative. */
static const fm_node *gradient_target(const fm_node *node) {
    return fm_is_fused_activation(node->producer) ? node->producer->fused : node->producer;
}

/* The epilogue of dX for [rows][16 of the batch]: transpose, times the derivative of the producer's activation. */
static void dx_epilogue(const fm_pass *pass, const fm_node *node, ptrdiff_t k, ptrdiff_t rows, ptrdiff_t row_panel, const float *sums) {
    const fm_network *network = pass->network;
    const fm_workspace *workspace = pass->workspace;
    const fm_node *producer = gradient_target(node);
    const int input = producer->spec.output;
    const ptrdiff_t b = row_panel * FM_PANEL, stride = network->stride[input];
    const int grad_in_panels = producer->grad_in_panels;
    const fm_transpose back = {
        .rows = FM_PANEL,
        .cols = rows,
        .in = sums,
        .in_row = FM_PANEL,
        .values = node->producer->activation_backward_fused ? workspace->value[input] + b * stride + k : NULL,
        .values_row = stride,
        .out = grad_in_panels
                   ? workspace->grad_panels[input] + k / FM_PANEL * fm_grad_panel_floats(network, workspace, producer) + b * FM_PANEL
                   : workspace->grad[input] + b * stride + k,
        .out_row = grad_in_panels ? FM_PANEL : stride,
        .out_panel = grad_in_panels ? fm_grad_panel_floats(network, workspace, producer) : FM_PANEL,
        .out_t = grad_in_panels && fm_reads_grad_t(pass, producer)
                     ? workspace->grad_t_panels[input] + row_panel * fm_grad_t_panel_floats(producer) + k * FM_PANEL
                     : NULL,
        .out_t_row = FM_PANEL,
        .activation = producer->fused ? FM_SAVED_DERIVATIVE : producer->spec.activation,
        .alpha = producer->spec.alpha,
    };
    network->kernels->transpose(&back);
}

fm_output_shard fm_partition_input_gradient(const fm_pass *pass, const fm_node *node) {
    if (is_of_few(pass, node))
        return (fm_output_shard){fm_partition_rows(node->inputs, pass->worker), {0, 1}, 1};
    return fm_partition_output(node->inputs, FM_ROUND_UP(fm_rows(pass, node->spec.output)) / FM_PANEL, pass->worker);
}

#define FEW_COLUMNS (FM_NC_PANELS * FM_SCRATCH_PANEL / FEW_ROWS / FM_PANEL * FM_PANEL) /* of dX that fit in scratch */

/* Multiplies a row of dX by the derivative of the producer's activation and writes it where that reads its gradient. */
static void finish_row(const fm_pass *pass, const fm_node *node, ptrdiff_t b, fm_range columns, float *grad) {
    const fm_network *network = pass->network;
    const fm_workspace *workspace = pass->workspace;
    const fm_node *producer = gradient_target(node);
    const int input = producer->spec.output;
    const ptrdiff_t stride = network->stride[input], n = FM_ROUND_UP(columns.end - columns.begin);
    if (node->producer->activation_backward_fused) {
        const fm_elementwise backward = {
            .n = n,
            .x = workspace->value[input] + b * stride + columns.begin,
            .y = grad,
            .out = grad,
            .activation = producer->spec.activation,
            .alpha = producer->spec.alpha,
        };
        (producer->fused ? network->kernels->multiply : network->kernels->activation_backward)(&backward);
    }
    if (!producer->grad_in_panels) {
        memcpy(workspace->grad[input] + b * stride + columns.begin, grad, (size_t)n * sizeof *grad);
        return;
    }
    const ptrdiff_t panel = fm_grad_panel_floats(network, workspace, producer);
    for (ptrdiff_t k = 0; k < n; k += FM_PANEL)
        memcpy(workspace->grad_panels[input] + (columns.begin + k) / FM_PANEL * panel + b * FM_PANEL, grad + k, FM_PANEL * sizeof *grad);
}

/* dX of a few samples. */
static void input_gradient_of_few(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_range own = fm_partition_input_gradient(pass, node).rows;
    for (ptrdiff_t k = own.begin; k < own.end; k += FEW_COLUMNS) {
        const fm_range columns = {k, k + smaller(FEW_COLUMNS, own.end - k)};
        const fm_gemm_dx_few product = {
            .rows = fm_rows(pass, node->spec.output),
            .depth = node->units,
            .cols = columns.end - columns.begin,
            .grad = pass->workspace->grad_panels[node->spec.output],
            .grad_panel = fm_grad_panel_floats(network, pass->workspace, node),
            .w = network->value + node->kernel + k * FM_PANEL,
            .w_panel = node->inputs * FM_PANEL,
            .c = fm_scratch(pass),
            .c_row = FEW_COLUMNS,
        };
        network->kernels->gemm_dx_few(&product);
        for (ptrdiff_t b = 0; b < product.rows; b++)
            finish_row(pass, node, b, columns, product.c + b * product.c_row);
    }
}

/* dX[b][k] = Σ_n dY[b][n]·W[k][n], vectorized over the batch: W is read in place, and dYᵀ was written by an epilogue. */
static void input_gradient_of_many(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_workspace *workspace = pass->workspace;
    const float *grad_t_panels = workspace->grad_t_panels[node->spec.output];
    const ptrdiff_t max_rows = fm_mc_for_depth(node->units);
    float *scratch = fm_scratch(pass);
    const fm_output_shard shard = fm_partition_input_gradient(pass, node);
    const ptrdiff_t block = kc_for_depth(node->units);
    for (ptrdiff_t k = shard.rows.begin; k < shard.rows.end; k += max_rows)
        for (ptrdiff_t row_panel = shard.panels.begin; row_panel < shard.panels.end; row_panel += FM_NC_PANELS) {
            const ptrdiff_t rows = smaller(max_rows, shard.rows.end - k);
            const ptrdiff_t row_panels = smaller(FM_NC_PANELS, shard.panels.end - row_panel);
            for (ptrdiff_t p = 0; p < node->units; p += block) {
                const fm_gemm product = {
                    .rows = rows,
                    .depth = smaller(block, node->units - p),
                    .panels = row_panels,
                    .a = network->value + node->kernel + p * node->inputs + k * FM_PANEL,
                    .a_step = node->inputs * FM_PANEL,
                    .b = grad_t_panels + row_panel * fm_grad_t_panel_floats(node) + p * FM_PANEL,
                    .b_step = FM_PANEL,
                    .b_panel = fm_grad_t_panel_floats(node),
                    .c = scratch,
                    .c_row = FM_PANEL,
                    .c_panel = FM_SCRATCH_PANEL,
                    .accumulate = p > 0,
                };
                network->kernels->gemm_dx(&product);
            }
            for (ptrdiff_t s = 0; s < row_panels; s++)
                dx_epilogue(pass, node, k, rows, row_panel + s, scratch + s * FM_SCRATCH_PANEL);
        }
}

void fm_gemm_input_gradient(const fm_pass *pass, const fm_node *node) {
    if (is_of_few(pass, node))
        input_gradient_of_few(pass, node);
    else
        input_gradient_of_many(pass, node);
}

/* db[n] = Σ_b dY[b][n]. */
void fm_gemm_bias_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    if (!node->bias_trainable)
        return;
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    float *scratch = fm_scratch(pass);
    const fm_range panels = fm_partition(node->panels, pass->worker);
    for (ptrdiff_t panel = panels.begin; panel < panels.end; panel += FM_MC) {
        const fm_column_sums sums = {
            .rows = batch_rows,
            .cols = smaller(FM_MC, panels.end - panel) * FM_PANEL,
            .in = pass->workspace->grad_panels[node->spec.output] + panel * fm_grad_panel_floats(pass->network, pass->workspace, node),
            .in_row = FM_PANEL,
            .in_panel = fm_grad_panel_floats(pass->network, pass->workspace, node),
            .out = scratch,
        };
        network->kernels->column_sums(&sums);
        fm_apply_step(network, step, node->bias + panel * FM_PANEL, sums.cols, scratch);
    }
}

/* Whether packing a block of the inputs, which is read again for every NC columns, pays. */
static int pays_to_pack(ptrdiff_t floats, ptrdiff_t panels) { return floats >= L1_FLOATS && panels >= FM_NC_PANELS; }

#define NARROW_UNITS 12 /* so few units fill less of a panel than of a micro-kernel's rows */
#define NARROW_PANELS 3 /* so few panels use too little of each cache line of a long row of inputs */
#define LONG_ROW 1024
#define LARGE_INPUT (256 << 10) /* in floats: half an L2 of 2 MiB */

static int is_narrow(const fm_node *node, ptrdiff_t batch_rows) {
    return node->units <= NARROW_UNITS ||
           (node->panels <= NARROW_PANELS && node->inputs >= LONG_ROW && batch_rows * node->inputs >= LARGE_INPUT);
}

/* dW[k][n] = Σ_b X[b][k]·dY[b][n] of few units, vectorized over k and then transposed. */
static void narrow_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    const fm_rows_of_input x = rows_of_input(pass, node);
    const ptrdiff_t grad_panel = fm_grad_panel_floats(network, pass->workspace, node);
    float *sums = fm_scratch(pass), *gradient = sums + FM_SCRATCH_PANEL;
    const fm_output_shard shard = fm_partition_output(node->inputs, node->panels, pass->worker);
    const ptrdiff_t block = kc_for_depth(batch_rows);
    for (ptrdiff_t k = shard.rows.begin; k < shard.rows.end; k += FM_MC)
        for (ptrdiff_t panel = shard.panels.begin; panel < shard.panels.end; panel++) {
            const ptrdiff_t rows = smaller(FM_MC, shard.rows.end - k), units = smaller(FM_PANEL, node->units - panel * FM_PANEL);
            for (ptrdiff_t p = 0; p < batch_rows; p += block) {
                const fm_gemm product = {
                    .rows = units,
                    .depth = smaller(block, batch_rows - p),
                    .panels = FM_ROUND_UP(rows) / FM_PANEL,
                    .a = pass->workspace->grad_panels[node->spec.output] + panel * grad_panel + p * FM_PANEL,
                    .a_step = FM_PANEL,
                    .b = x.first + p * x.row + k,
                    .b_step = x.row,
                    .b_panel = FM_PANEL,
                    .c = sums,
                    .c_row = FM_MC,
                    .c_panel = FM_PANEL,
                    .accumulate = p > 0,
                };
                network->kernels->gemm_dw(&product);
            }
            const fm_transpose transpose = {
                .rows = rows,
                .cols = units,
                .in = sums,
                .in_row = FM_MC,
                .out = gradient,
                .out_row = FM_PANEL,
                .out_panel = FM_SCRATCH_PANEL,
            };
            network->kernels->transpose(&transpose);
            fm_apply_step(network, step, node->kernel + (panel * node->inputs + k) * FM_PANEL, rows * FM_PANEL, gradient);
        }
}

/* dW[k][n] = Σ_b X[b][k]·dY[b][n], with the optimizer's step as the epilogue of each block. */
static void wide_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    const ptrdiff_t batch_rows = fm_rows(pass, node->spec.output);
    const fm_rows_of_input x = rows_of_input(pass, node);
    const float *grad = pass->workspace->grad_panels[node->spec.output];
    const ptrdiff_t grad_panel = fm_grad_panel_floats(pass->network, pass->workspace, node);
    float *scratch = fm_scratch(pass);
    float *packed = pass->workspace->packed + pass->worker.id * pass->workspace->packed_floats;
    const fm_output_shard shard = fm_partition_output(node->inputs, node->panels, pass->worker);
    const ptrdiff_t block = kc_for_depth(batch_rows), max_rows = fm_mc_for_depth(FM_ROUND_UP(batch_rows));
    for (ptrdiff_t k = shard.rows.begin; k < shard.rows.end; k += max_rows) {
        const ptrdiff_t rows = smaller(max_rows, shard.rows.end - k);
        const int packs = pays_to_pack(rows * batch_rows, shard.panels.end - shard.panels.begin);
        for (ptrdiff_t p = 0; packs && p < batch_rows; p += block) {
            const fm_pack pack = {rows, smaller(block, batch_rows - p), x.first + p * x.row + k, x.row, packed + p * rows};
            network->kernels->pack(&pack);
        }
        for (ptrdiff_t panel = shard.panels.begin; panel < shard.panels.end; panel += FM_NC_PANELS) {
            const ptrdiff_t panels = smaller(FM_NC_PANELS, shard.panels.end - panel);
            for (ptrdiff_t p = 0; p < batch_rows; p += block) {
                const fm_gemm product = {
                    .rows = rows,
                    .depth = smaller(block, batch_rows - p),
                    .panels = panels,
                    .a = packs ? packed + p * rows : x.first + p * x.row + k,
                    .a_step = packs ? 0 : x.row,
                    .b = grad + panel * grad_panel + p * FM_PANEL,
                    .b_step = FM_PANEL,
                    .b_panel = grad_panel,
                    .c = scratch,
                    .c_row = FM_PANEL,
                    .c_panel = FM_SCRATCH_PANEL,
                    .updated = p + block >= batch_rows ? network->value + node->kernel + (panel * node->inputs + k) * FM_PANEL : NULL,
                    .updated_panel = node->inputs * FM_PANEL,
                    .accumulate = p > 0,
                };
                network->kernels->gemm_dw(&product);
            }
            for (ptrdiff_t j = 0; j < panels; j++)
                fm_apply_step(network, step, node->kernel + ((panel + j) * node->inputs + k) * FM_PANEL, rows * FM_PANEL,
                              scratch + j * FM_SCRATCH_PANEL);
        }
    }
}

void fm_gemm_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    if (is_narrow(node, fm_rows(pass, node->spec.output)))
        narrow_kernel_update(pass, node, step);
    else
        wide_kernel_update(pass, node, step);
}

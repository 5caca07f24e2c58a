/* Dropouts, which save their mask for backward, and Gaussian noise. Identity outside training. */
#include "engine/ops/dropout.h"
#include "engine/base/rng.h"
#include "engine/graph/validate.h"
#include "engine/ops/elementwise.h"

#include <math.h>

int fm_validate_dropout(const fm_plan *plan, const fm_node_spec *node) {
    return fm_validate_same_width(plan, node) && node->rate >= 0.0f && node->rate < 1.0f;
}

fm_extent fm_dropout_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows) { /* the mask */
    return (fm_extent){rows, network->stride[node->spec.output]};
}

/* The index, among all rows of a call, of this worker's first row. */
static ptrdiff_t first_row(const fm_pass *pass, const fm_node *node, fm_row_shard shard) {
    return pass->first_row * pass->network->rows_per_sample[node->spec.output] + shard.first_row;
}

/* Normal deviates with mean `x`, or mean 1 if that is NULL: see GaussianNoise and GaussianDropout. */
static void gaussian_noise(const fm_pass *pass, const fm_node *node, fm_row_shard shard, const float *x, float stddev, float *out) {
    const fm_network *network = pass->network;
    const ptrdiff_t stride = network->stride[node->spec.output];
    fm_gaussian_noise arguments = {
        .rows = shard.rows,
        .cols = node->units,
        .first_row = first_row(pass, node, shard),
        .x = x ? x + shard.begin : NULL,
        .x_row = stride,
        .out = out + shard.begin,
        .out_row = stride,
        .mean = 1.0f,
        .stddev = stddev,
        .step = fm_low(network->state.iterations),
        .node = (uint32_t)node->index,
    };
    fm_noise_key(network->state.seed, pass->draw, arguments.key);
    network->kernels->gaussian_noise(&arguments);
}

void fm_dropout_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_row_shard shard = fm_shard_buffer(pass, node->spec.output);
    const float *x = pass->workspace->value[node->spec.input];
    float *out = pass->workspace->value[node->spec.output];
    if (shard.rows == 0)
        return;
    if (!fm_in_training_mode(pass, node)) {
        fm_copy_shard(shard, x, out);
        return;
    }
    const double rate = (double)node->spec.rate;
    if (node->spec.op == FM_OP_gaussian_noise) {
        gaussian_noise(pass, node, shard, x, node->spec.rate, out);
        return;
    }
    float *mask = pass->workspace->saved[node->index];
    const fm_elementwise product = fm_elementwise_of(node, shard, x, mask, out);
    if (node->spec.op == FM_OP_gaussian_dropout) {
        gaussian_noise(pass, node, shard, NULL, (float)sqrt(rate / (1.0 - rate)), mask);
        network->kernels->multiply(&product);
        return;
    }
    /* AlphaDropout: dropped elements become −αλ, the limit of SELU at −∞, and a·x + b restores mean and variance. */
    const int is_alpha = node->spec.op == FM_OP_alpha_dropout;
    const double low = -1.6732632423543772 * 1.0507009873554805, a = 1.0 / sqrt((1.0 - rate) * (1.0 + rate * low * low));
    fm_dropout arguments = {
        .rows = shard.rows,
        .cols = node->units,
        .first_row = first_row(pass, node, shard),
        .mask = mask + shard.begin,
        .mask_row = network->stride[node->spec.output],
        .rate = node->spec.rate,
        .keep_scale = is_alpha ? (float)a : 1.0f / (1.0f - node->spec.rate),
        .step = fm_low(network->state.iterations),
        .node = (uint32_t)node->index,
    };
    fm_noise_key(network->state.seed, pass->draw, arguments.key);
    network->kernels->dropout_mask(&arguments);
    const double b = -a * low * rate;
    const fm_alpha_dropout affine = {
        .n = shard.n,
        .x = x + shard.begin,
        .mask = mask + shard.begin,
        .out = out + shard.begin,
        .kept = (float)b,
        .dropped = (float)(a * low + b),
    };
    if (is_alpha)
        network->kernels->alpha_dropout(&affine);
    else
        network->kernels->multiply(&product);
}

void fm_dropout_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    const fm_workspace *w = pass->workspace;
    const fm_row_shard shard = fm_shard_buffer(pass, node->spec.output);
    const fm_elementwise product =
        fm_elementwise_of(node, shard, w->grad[node->spec.output], w->saved[node->index], w->grad[node->spec.input]);
    pass->network->kernels->multiply(&product);
}

void fm_gaussian_noise_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    const fm_workspace *w = pass->workspace;
    fm_copy_shard(fm_shard_buffer(pass, node->spec.output), w->grad[node->spec.output], w->grad[node->spec.input]);
}

/* Forward and backward over the list of nodes. */
#include "engine/run/executor.h"
#include "engine/base/rng.h"
#include "engine/graph/validate.h"
#include "engine/ops/arrange.h"
#include "engine/ops/dense.h"
#include "engine/ops/dense_sparse.h"
#include "engine/ops/embedding.h"
#include "engine/ops/lookup.h"
#include "engine/ops/merge.h"
#include "engine/ops/norm.h"

#include <math.h>
#include <string.h>

static void softmax(const fm_pass *pass, const fm_node *node, const float *x, const float *grad, float *out) {
    const fm_span span = fm_share_buffer(pass, node->spec.output);
    if (span.rows == 0)
        return;
    const fm_softmax arguments = {
        .rows = span.rows,
        .cols = node->units,
        .stride = pass->network->stride[node->spec.output],
        .x = x + span.begin,
        .grad = grad ? grad + span.begin : NULL,
        .out = out + span.begin,
    };
    const fm_kernels *kernels = pass->network->kernels;
    if (node->spec.op == FM_OP_SOFTMAX)
        (grad ? kernels->softmax_backward : kernels->softmax)(&arguments);
    else if (node->spec.op == FM_OP_LOG_SOFTMAX)
        (grad ? kernels->log_softmax_backward : kernels->log_softmax)(&arguments);
    else
        (grad ? kernels->sparsemax_backward : kernels->sparsemax)(&arguments);
}

static fm_elementwise elementwise(const fm_node *node, fm_span span, const float *x, const float *y, float *out) {
    return (fm_elementwise){
        .n = span.n,
        .x = x + span.begin,
        .y = y ? y + span.begin : NULL,
        .out = out + span.begin,
        .activation = node->spec.activation,
        .alpha = node->spec.alpha,
        .threshold = node->spec.threshold,
        .max_value = node->spec.max_value,
    };
}

/* The number, among all rows of a call, of the first that this worker disturbs. */
static ptrdiff_t first_row(const fm_pass *pass, const fm_node *node, fm_span span) {
    return pass->first_row * pass->network->per[node->spec.output] + span.first_row;
}

/* Normal deviates around `x`, or around 1 where it is NULL: see GaussianNoise and GaussianDropout. */
static void gaussian_noise(const fm_pass *pass, const fm_node *node, int index, fm_span span, const float *x, float stddev, float *out) {
    const fm_network *network = pass->network;
    const ptrdiff_t stride = network->stride[node->spec.output];
    fm_gaussian_noise arguments = {
        .rows = span.rows,
        .cols = node->units,
        .first_row = first_row(pass, node, span),
        .x = x ? x + span.begin : NULL,
        .x_row = stride,
        .out = out + span.begin,
        .out_row = stride,
        .mean = 1.0f,
        .stddev = stddev,
        .step = fm_low(network->state.iterations),
        .node = (uint32_t)index,
    };
    fm_noise_key(network->state.seed, pass->draw, arguments.key);
    network->kernels->gaussian_noise(&arguments);
}

static void dropout_forward(const fm_pass *pass, const fm_node *node, int index, const float *x, float *out) {
    const fm_network *network = pass->network;
    const fm_span span = fm_share_buffer(pass, node->spec.output);
    if (span.rows == 0)
        return;
    if (!fm_trains(pass, node)) {
        memcpy(out + span.begin, x + span.begin, (size_t)span.n * sizeof *out);
        return;
    }
    const double rate = (double)node->spec.rate;
    if (node->spec.op == FM_OP_GAUSSIAN_NOISE) {
        gaussian_noise(pass, node, index, span, x, node->spec.rate, out);
        return;
    }
    float *mask = pass->workspace->mask[index];
    const fm_elementwise product = elementwise(node, span, x, mask, out);
    if (node->spec.op == FM_OP_GAUSSIAN_DROPOUT) {
        gaussian_noise(pass, node, index, span, NULL, (float)sqrt(rate / (1.0 - rate)), mask);
        network->kernels->multiply(&product);
        return;
    }
    /* AlphaDropout: what is dropped becomes −αλ, SELU's value at −∞, and a·x + b gives all its mean and variance back. */
    const int is_alpha = node->spec.op == FM_OP_ALPHA_DROPOUT;
    const double low = -1.6732632423543772 * 1.0507009873554805, a = 1.0 / sqrt((1.0 - rate) * (1.0 + rate * low * low));
    fm_dropout arguments = {
        .rows = span.rows,
        .cols = node->units,
        .first_row = first_row(pass, node, span),
        .mask = mask + span.begin,
        .mask_row = network->stride[node->spec.output],
        .rate = node->spec.rate,
        .keep_scale = is_alpha ? (float)a : 1.0f / (1.0f - node->spec.rate),
        .step = fm_low(network->state.iterations),
        .node = (uint32_t)index,
    };
    fm_noise_key(network->state.seed, pass->draw, arguments.key);
    network->kernels->dropout_mask(&arguments);
    const double b = -a * low * rate;
    const fm_alpha_dropout affine = {
        .n = span.n,
        .x = x + span.begin,
        .mask = mask + span.begin,
        .out = out + span.begin,
        .kept = (float)b,
        .dropped = (float)(a * low + b),
    };
    if (is_alpha)
        network->kernels->alpha_dropout(&affine);
    else
        network->kernels->multiply(&product);
}

static void activity_backward(const fm_pass *pass, const fm_node *node, const float *x, const float *grad, float *below) {
    const fm_span span = fm_share_buffer(pass, node->spec.output);
    const fm_activity arguments = {
        .rows = span.rows,
        .cols = node->units,
        .x = x + span.begin,
        .row = pass->network->stride[node->spec.output],
        .l1 = node->spec.l1 / (float)pass->rows,
        .l2 = 2.0f * node->spec.l2 / (float)pass->rows,
        .grad = grad + span.begin,
        .out = below + span.begin,
    };
    pass->network->kernels->activity_backward(&arguments);
}

/* True for a node whose input comes as lists without zeros. */
static int reads_lists(const fm_pass *pass, const fm_node *node) { return pass->sparse && node->spec.input == 0; }

void fm_forward(const fm_pass *pass) {
    const fm_network *network = pass->network;
    float **value = pass->workspace->value;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if ((pass->measured && !node->needed) || node->spec.op == FM_OP_BRANCH)
            continue; /* a branch is its input under another name */
        const float *x = value[node->spec.input];
        float *out = value[node->spec.output];
        switch (node->spec.op) {
        case FM_OP_DENSE:
            if (reads_lists(pass, node))
                fm_sparse_forward(pass, node);
            else
                fm_dense_forward(pass, node);
            break;
        case FM_OP_ACTIVATION: {
            const fm_elementwise arguments = elementwise(node, fm_share_buffer(pass, node->spec.output), x, NULL, out);
            network->kernels->activate(&arguments);
            break;
        }
        case FM_OP_SOFTMAX:
        case FM_OP_LOG_SOFTMAX:
        case FM_OP_SPARSEMAX:
            softmax(pass, node, x, NULL, out);
            break;
        case FM_OP_DROPOUT:
        case FM_OP_ALPHA_DROPOUT:
        case FM_OP_GAUSSIAN_DROPOUT:
        case FM_OP_GAUSSIAN_NOISE:
            dropout_forward(pass, node, i, x, out);
            break;
        case FM_OP_BATCH_NORMALIZATION:
        case FM_OP_LAYER_NORMALIZATION:
        case FM_OP_RMS_NORMALIZATION:
        case FM_OP_NORMALIZATION:
        case FM_OP_RESCALING:
        case FM_OP_PRELU:
            fm_normalize_forward(pass, node, i);
            break;
        case FM_OP_EMBEDDING:
            fm_embed_forward(pass, node);
            break;
        case FM_OP_CATEGORY_ENCODING:
            fm_encode_forward(pass, node);
            break;
        case FM_OP_LOOKUP:
        case FM_OP_DISCRETIZATION:
            fm_lookup_forward(pass, node);
            break;
        case FM_OP_ACTIVITY: {
            const fm_span span = fm_share_buffer(pass, node->spec.output);
            memcpy(out + span.begin, x + span.begin, (size_t)span.n * sizeof *out);
            break;
        }
        default:
            (fm_is_arrangement(node->spec.op) ? fm_arrange_forward : fm_merge_forward)(pass, node);
            break;
        }
        fm_team_barrier(pass->worker);
    }
}

/* Rows of a gradient, cut into panels of 16 columns. */
static void copy_to_panels(const fm_pass *pass, const fm_node *node, fm_span span, const float *grad) {
    const ptrdiff_t stride = pass->network->stride[node->spec.output];
    for (ptrdiff_t panel = 0; panel < node->panels; panel++) {
        float *to = pass->workspace->panels[node->spec.output] + panel * fm_panel_floats(pass->network, pass->workspace, node) +
                    span.first_row * FM_PANEL;
        for (ptrdiff_t row = 0; row < span.rows; row++)
            memcpy(to + row * FM_PANEL, grad + row * stride + panel * FM_PANEL, FM_PANEL * sizeof *to);
    }
}

/* The gradient of a dense node's sums, from that of its output where no dense node above has done it: times the activation's derivative, in
 * panels, and transposed for the input's gradient. Each worker takes whole rows, so no barrier stands between the three. */
static void prepare_gradient(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_workspace *workspace = pass->workspace;
    const int output = node->spec.output;
    const fm_span span = fm_share_buffer(pass, output);
    float *grad = workspace->grad[output];
    if (span.rows == 0)
        return;
    if (node->spec.activation != FM_ACTIVATION_linear) {
        const fm_elementwise derive = elementwise(node, span, workspace->value[output], grad, grad);
        network->kernels->derive(&derive);
    }
    if (workspace->panels[output] != grad)
        copy_to_panels(pass, node, span, grad + span.begin);
    if (node->trained_below) {
        const fm_transpose transpose = {
            .rows = node->units,
            .cols = span.rows,
            .in = grad + span.begin,
            .in_row = network->stride[output],
            .out = workspace->strips[output] + span.first_row / FM_PANEL * fm_strip_floats(node),
            .out_row = FM_PANEL,
            .out_panel = fm_strip_floats(node),
        };
        network->kernels->transpose(&transpose);
    }
}

static void dense_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    if (!node->in_panels) {
        prepare_gradient(pass, node);
        fm_team_barrier(pass->worker);
    }
    if (node->trained_below) {
        fm_dense_input_gradient(pass, node);
        fm_team_barrier(pass->worker); /* the weights may change only when all of the input's gradient is known */
    }
    fm_bias_update(pass, node, step);
    if (!node->kernel_moves)
        return;
    if (reads_lists(pass, node))
        fm_sparse_kernel_update(pass, node, step);
    else
        fm_kernel_update(pass, node, step);
}

void fm_backward(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    const fm_workspace *workspace = pass->workspace;
    for (int i = network->node_count - 1; i >= 0; i--) {
        const fm_node *node = &network->nodes[i];
        if (!node->reached || node->first_back)
            continue;
        switch (node->spec.op) {
        case FM_OP_DENSE:
            dense_backward(pass, node, step);
            continue;
        case FM_OP_BATCH_NORMALIZATION:
        case FM_OP_LAYER_NORMALIZATION:
        case FM_OP_RMS_NORMALIZATION:
        case FM_OP_NORMALIZATION:
        case FM_OP_RESCALING:
        case FM_OP_PRELU:
            fm_normalize_backward(pass, node, i, step);
            fm_team_barrier(pass->worker);
            continue;
        case FM_OP_EMBEDDING:
            fm_embed_update(pass, node, i, step);
            continue;
        case FM_OP_ACTIVATION:
        case FM_OP_SOFTMAX:
        case FM_OP_LOG_SOFTMAX:
        case FM_OP_SPARSEMAX:
        case FM_OP_DROPOUT:
        case FM_OP_ALPHA_DROPOUT:
        case FM_OP_GAUSSIAN_DROPOUT:
        case FM_OP_GAUSSIAN_NOISE:
        case FM_OP_ACTIVITY:
            break;
        default:
            (fm_is_arrangement(node->spec.op) ? fm_arrange_backward : fm_merge_backward)(pass, node);
            fm_team_barrier(pass->worker);
            continue;
        }
        const float *grad = workspace->grad[node->spec.output];
        const float *out = workspace->value[node->spec.output];
        float *below = workspace->grad[node->spec.input];
        const fm_span span = fm_share_buffer(pass, node->spec.output);
        if (node->spec.op == FM_OP_SOFTMAX || node->spec.op == FM_OP_LOG_SOFTMAX || node->spec.op == FM_OP_SPARSEMAX) {
            softmax(pass, node, out, grad, below);
        } else if (workspace->mask[i]) {
            const fm_elementwise product = elementwise(node, span, grad, workspace->mask[i], below);
            network->kernels->multiply(&product);
        } else if (node->spec.op == FM_OP_ACTIVITY) {
            activity_backward(pass, node, out, grad, below);
        } else if (node->derived || node->spec.op == FM_OP_GAUSSIAN_NOISE) {
            memcpy(below + span.begin, grad + span.begin, (size_t)span.n * sizeof *grad);
        } else {
            const int from_output = node->spec.activation < FM_OUTPUT_ACTIVATION_COUNT;
            const fm_elementwise derive = elementwise(node, span, from_output ? out : workspace->value[node->spec.input], grad, below);
            network->kernels->derive(&derive);
        }
        fm_team_barrier(pass->worker);
    }
}

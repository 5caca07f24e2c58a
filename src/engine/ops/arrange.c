/* Nodes that rearrange columns and rows, and those that compute across a whole row: folds, gathers, pools, division, dot products.
 *
 * Each worker takes the same rows of the batch in forward and backward. Pads are neither read nor written, so they stay +0. Sums are in
 * ascending order.
 */
#include "engine/ops/arrange.h"
#include "engine/graph/validate.h"

#include <string.h>

int fm_validate_parts(const fm_plan *plan, const fm_node_spec *node) { return plan->widths[node->input] % plan->widths[node->output] == 0; }

int fm_validate_unfold(const fm_plan *plan, const fm_node_spec *node) {
    return plan->widths[node->output] % plan->widths[node->input] == 0;
}

int fm_validate_gather(const fm_plan *plan, const fm_node_spec *node) {
    for (int64_t i = 0; node->gathered && i < plan->widths[node->output]; i++)
        if (node->gathered[i] < 0 || node->gathered[i] >= plan->widths[node->input])
            return 0;
    return node->gathered != NULL;
}

int fm_validate_dot(const fm_plan *plan, const fm_node_spec *node) {
    const int64_t inputs = plan->widths[node->input], others = plan->widths[node->other], depth = node->depth;
    return depth > 0 && inputs % depth == 0 && others % depth == 0 && inputs / depth * (others / depth) == plan->widths[node->output];
}

/* A row of a buffer's values or gradient. */
static float *row_of(const fm_pass *pass, float *const *arrays, int buffer, ptrdiff_t row) {
    return arrays[buffer] + row * pass->network->stride[buffer];
}

/* Copies between one row of `count` parts and as many rows, in the direction that `to_parts` says. */
static void copy_parts(float *whole, float *parts, ptrdiff_t part_row, ptrdiff_t count, ptrdiff_t part, int to_parts) {
    for (ptrdiff_t i = 0; i < count; i++)
        memcpy(to_parts ? parts + i * part_row : whole + i * part, to_parts ? whole + i * part : parts + i * part_row,
               (size_t)part * sizeof *whole);
}

/* Copies between the buffers of whole rows and of parts; `arrays` are values in forward and gradients in backward. */
static void fold(const fm_pass *pass, const fm_node *node, float *const *arrays, ptrdiff_t row, int forward) {
    const int folds = node->spec.op == FM_OP_fold;
    const int whole = folds ? node->spec.input : node->spec.output, parts = folds ? node->spec.output : node->spec.input;
    const fm_network *network = pass->network;
    const ptrdiff_t count = network->rows_per_sample[parts];
    copy_parts(row_of(pass, arrays, whole, row), row_of(pass, arrays, parts, row * count), network->stride[parts], count,
               network->width[parts], folds == forward);
}

static void pool(const fm_node *node, const float *x, float *out) {
    const ptrdiff_t count = node->inputs / node->units;
    memcpy(out, x, (size_t)node->units * sizeof *out);
    for (ptrdiff_t i = 1; i < count; i++) {
        const float *next = x + i * node->units;
        if (node->spec.op == FM_OP_average_pool)
            for (ptrdiff_t c = 0; c < node->units; c++)
                out[c] += next[c];
        else
            for (ptrdiff_t c = 0; c < node->units; c++)
                out[c] = next[c] > out[c] || next[c] != next[c] ? next[c] : out[c];
    }
    for (ptrdiff_t c = 0; c < node->units && node->spec.op == FM_OP_average_pool; c++)
        out[c] /= (float)count;
}

/* The gradient of several equal maxima is divided among them. */
static void pool_backward(const fm_node *node, const float *x, const float *out, const float *grad, float *input_grad) {
    const ptrdiff_t count = node->inputs / node->units;
    for (ptrdiff_t c = 0; c < node->units; c++) {
        ptrdiff_t sharing = 0;
        for (ptrdiff_t i = 0; i < count; i++)
            sharing += node->spec.op == FM_OP_average_pool || x[i * node->units + c] == out[c];
        for (ptrdiff_t i = 0; i < count; i++) {
            const int shares = node->spec.op == FM_OP_average_pool || x[i * node->units + c] == out[c];
            input_grad[i * node->units + c] = shares ? grad[c] / (float)sharing : 0.0f;
        }
    }
}

/* The dot product of each vector of x with each of y. */
static void dot(const float *x, ptrdiff_t x_count, const float *y, ptrdiff_t y_count, ptrdiff_t depth, float *out) {
    for (ptrdiff_t m = 0; m < x_count; m++)
        for (ptrdiff_t n = 0; n < y_count; n++) {
            float sum = 0.0f;
            for (ptrdiff_t d = 0; d < depth; d++)
                sum += x[m * depth + d] * y[n * depth + d];
            out[m * y_count + n] = sum;
        }
}

/* The gradient of the vectors of one input, from those of the other; the steps are strides in grad. */
static void dot_backward(ptrdiff_t count, const float *other, ptrdiff_t other_count, ptrdiff_t depth, const float *grad, ptrdiff_t step,
                         ptrdiff_t other_step, float *input_grad) {
    for (ptrdiff_t m = 0; m < count; m++) {
        memset(input_grad + m * depth, 0, (size_t)depth * sizeof *input_grad);
        for (ptrdiff_t n = 0; n < other_count; n++)
            for (ptrdiff_t d = 0; d < depth; d++)
                input_grad[m * depth + d] += grad[m * step + n * other_step] * other[n * depth + d];
    }
}

void fm_arrange_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_node_spec *spec = &node->spec;
    float *const *value = pass->workspace->value;
    const fm_range rows = fm_partition_rows(pass->rows, pass->worker);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        const float *x = row_of(pass, value, spec->input, r), *y = fm_reads_two(spec->op) ? row_of(pass, value, spec->other, r) : NULL;
        float *out = row_of(pass, value, spec->output, r);
        switch (spec->op) {
        case FM_OP_gather:
            for (ptrdiff_t c = 0; c < node->units; c++)
                out[c] = x[spec->gathered[c]];
            break;
        case FM_OP_average_pool:
        case FM_OP_maximum_pool:
            pool(node, x, out);
            break;
        case FM_OP_divide:
            for (ptrdiff_t c = 0; c < node->units; c++)
                out[c] = x[c] / y[c];
            break;
        case FM_OP_dot:
            dot(x, node->inputs / spec->depth, y, network->width[spec->other] / spec->depth, spec->depth, out);
            break;
        default:
            fold(pass, node, value, r, 1);
            break;
        }
    }
}

static void gather_backward(const fm_node *node, const float *grad, float *input_grad) {
    memset(input_grad, 0, (size_t)node->inputs * sizeof *input_grad);
    for (ptrdiff_t c = 0; c < node->units; c++)
        input_grad[node->spec.gathered[c]] += grad[c];
}

/* The gradients of one row of the inputs that need them. */
static void row_backward(const fm_pass *pass, const fm_node *node, ptrdiff_t row) {
    const fm_workspace *w = pass->workspace;
    const fm_node_spec *spec = &node->spec;
    const int two = fm_reads_two(spec->op);
    const float *x = row_of(pass, w->value, spec->input, row), *y = two ? row_of(pass, w->value, spec->other, row) : NULL;
    const float *out = row_of(pass, w->value, spec->output, row), *grad = row_of(pass, w->grad, spec->output, row);
    float *input_grad = node->needs_input_grad ? row_of(pass, w->grad, spec->input, row) : NULL;
    float *other_grad = node->needs_other_grad ? row_of(pass, w->grad, spec->other, row) : NULL;
    const ptrdiff_t depth = spec->depth, x_count = two && depth ? node->inputs / depth : 0, y_count = x_count ? node->units / x_count : 0;
    switch (spec->op) {
    case FM_OP_gather:
        gather_backward(node, grad, input_grad);
        break;
    case FM_OP_average_pool:
    case FM_OP_maximum_pool:
        pool_backward(node, x, out, grad, input_grad);
        break;
    case FM_OP_divide: /* d(x/y) = dx/y − dy·(x/y)/y */
        for (ptrdiff_t c = 0; c < node->units && input_grad; c++)
            input_grad[c] = grad[c] / y[c];
        for (ptrdiff_t c = 0; c < node->units && other_grad; c++)
            other_grad[c] = -(grad[c] / y[c] * out[c]);
        break;
    default:
        if (input_grad)
            dot_backward(x_count, y, y_count, depth, grad, y_count, 1, input_grad);
        if (other_grad)
            dot_backward(y_count, x, x_count, depth, grad, 1, y_count, other_grad);
        break;
    }
}

void fm_arrange_backward(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    (void)step;
    if (!node->needs_input_grad && !node->needs_other_grad)
        return;
    const fm_range rows = fm_partition_rows(pass->rows, pass->worker);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        if (node->spec.op == FM_OP_fold || node->spec.op == FM_OP_unfold)
            fold(pass, node, pass->workspace->grad, r, 0);
        else
            row_backward(pass, node, r);
    }
}

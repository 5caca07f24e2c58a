/* Nodes that encode the numbers of a table's columns: robust scaling, missing values, bins in which numbers are interpolated.
 *
 * NaN stands for a missing value. They pass no gradient. Each worker takes the same rows as its neighbours; pads are not written, so they
 * stay +0.
 */
#include "engine/ops/numeric.h"
#include "engine/graph/validate.h"

#include <float.h>
#include <math.h>
#include <string.h>

int fm_validate_robust_scaling(const fm_plan *plan, const fm_node_spec *node) {
    const int64_t units = plan->widths[node->output];
    return fm_validate_same_width(plan, node) && fm_is_vector(plan, node->kernel, units, 1) && fm_is_vector(plan, node->mean, units, 1) &&
           node->bias == -1 && node->variance == -1 && !fm_has_trainable_parameters(plan, node) && node->max_value > 0.0f &&
           isfinite(node->max_value);
}

/* Widths of bins are normal numbers, so that no quotient is NaN, not even where denormals are flushed. */
int64_t fm_count_bins(const fm_plan *plan, const fm_node_spec *node) {
    const float *edges = node->edges;
    int64_t bins = 0;
    for (int64_t c = 0; c < plan->widths[node->input] && node->edge_counts; c++) {
        const int32_t count = node->edge_counts[c];
        if (count == 0)
            continue;
        if (count < 2 || !edges)
            return -1;
        for (int32_t i = 1; i < count; i++) {
            const float width = edges[i] - edges[i - 1];
            if (!(width >= FLT_MIN && width <= FLT_MAX))
                return -1;
        }
        edges += count;
        bins += count - 1;
    }
    return bins;
}

int fm_validate_piecewise_linear(const fm_plan *plan, const fm_node_spec *node) {
    return fm_count_bins(plan, node) == plan->widths[node->output];
}

static const float *input_row(const fm_pass *pass, const fm_node *node, ptrdiff_t row) {
    return pass->workspace->value[node->spec.input] + row * pass->network->stride[node->spec.input];
}

static float *output_row(const fm_pass *pass, const fm_node *node, ptrdiff_t row) {
    return pass->workspace->value[node->spec.output] + row * pass->network->stride[node->spec.output];
}

static fm_range own_rows(const fm_pass *pass, const fm_node *node) {
    return fm_partition_rows(fm_rows(pass, node->spec.output), pass->worker);
}

#define SATURATED 0x1p60f /* t/√(1 + t²) is 1 from here on, and t² is finite */

/* limit·t/√(1 + t²), t = (x − center)·scale/limit; 0 for NaN. */
static void scale_row(ptrdiff_t columns, const float *restrict x, const float *restrict center, const float *restrict scale, float limit,
                      float *restrict out) {
    for (ptrdiff_t c = 0; c < columns; c++) {
        const float given = (x[c] - center[c]) * scale[c] / limit;
        const float below = given > SATURATED ? SATURATED : given, t = below < -SATURATED ? -SATURATED : below;
        const float clipped = limit * (t / sqrtf(1.0f + t * t));
        out[c] = t == t ? clipped : 0.0f;
    }
}

void fm_robust_scaling_forward(const fm_pass *pass, const fm_node *node) {
    const float *value = pass->network->value;
    const fm_range rows = own_rows(pass, node);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++)
        scale_row(node->units, input_row(pass, node, r), value + node->mean, value + node->kernel, node->spec.max_value,
                  output_row(pass, node, r));
}

void fm_missing_forward(const fm_pass *pass, const fm_node *node) {
    const fm_range rows = own_rows(pass, node);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        const float *x = input_row(pass, node, r);
        float *out = output_row(pass, node, r);
        for (ptrdiff_t c = 0; c < node->units; c++)
            out[c] = isnan(x[node->spec.gathered[c]]) ? 1.0f : 0.0f;
    }
}

static float clip(float x, float low, float high) {
    const float raised = x > low ? x : low;
    return raised < high ? raised : high;
}

/* The place of x in each bin: 1 in those below its own, 0 in those above. A search for its own bin would take as long as this. */
static void interpolate(const float *restrict edges, ptrdiff_t bins, float x, float *restrict out) {
    for (ptrdiff_t i = 0; i < bins; i++)
        out[i] = clip((x - edges[i]) / (edges[i + 1] - edges[i]), 0.0f, 1.0f);
    const float first = (x - edges[0]) / (edges[1] - edges[0]), last = (x - edges[bins - 1]) / (edges[bins] - edges[bins - 1]);
    out[bins - 1] = clip(last, 0.0f, 2.0f);
    out[0] = clip(first, -1.0f, bins == 1 ? 2.0f : 1.0f);
}

void fm_piecewise_linear_forward(const fm_pass *pass, const fm_node *node) {
    const fm_range rows = own_rows(pass, node);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        const float *x = input_row(pass, node, r), *edges = node->spec.edges;
        float *out = output_row(pass, node, r);
        for (ptrdiff_t c = 0; c < node->inputs; c++) {
            const ptrdiff_t count = node->spec.edge_counts[c], bins = count - 1;
            if (count == 0)
                continue;
            if (isnan(x[c]))
                memset(out, 0, (size_t)bins * sizeof *out);
            else
                interpolate(edges, bins, x[c], out);
            edges += count;
            out += bins;
        }
    }
}

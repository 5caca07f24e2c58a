/* PiecewiseLinearEmbedding: each column with edges becomes a vector, a piecewise linear function of its number.
 *
 * A column with B bins has 1 + B rows of the table. Its vector is the first row plus the product of the number's encoding in the bins (see
 * ops/numeric.c) with the others. The encoding is 1 below the number's bin, z in it and 0 above, so the product is a sum of the first rows,
 * which is computed once a pass for each bin, plus z times one row: the time of a number hardly depends on how many bins there are.
 *
 * NaN stands for a missing value, of which only the first row remains. Forward divides rows, the update columns among workers; no sum is
 * divided, so no bit depends on their number.
 */
#include "engine/ops/bin_embedding.h"
#include "engine/graph/validate.h"
#include "engine/ops/numeric.h"

#include <math.h>
#include <string.h>

#define MAX_ROWS 256 /* of one column: 16 KiB of a stack, and twice as much of scratch */

/* One column with edges: its place among all columns, among those with edges, and among the rows of the table. */
typedef struct column {
    ptrdiff_t input, index, bins, first_row;
    const float *edges;
} column;

typedef struct place {
    ptrdiff_t bin;
    float z;
} place;

static ptrdiff_t table_rows(const fm_network *network, const fm_node *node) { return network->shape[node->spec.kernel][0]; }

static ptrdiff_t table_columns(const fm_network *network, const fm_node *node) { return network->shape[node->spec.kernel][1]; }

int fm_validate_bin_embedding(const fm_plan *plan, const fm_node_spec *node) {
    int64_t rows = 0, columns = 0;
    if (fm_count_bins(plan, node) < 1 || !fm_is_index(node->kernel, plan->parameter_count) || node->bias != -1)
        return 0;
    for (int64_t c = 0; c < plan->widths[node->input] && node->edge_counts; c++) {
        if (node->edge_counts[c] > MAX_ROWS)
            return 0;
        rows += node->edge_counts[c]; /* one more than bins */
        columns += node->edge_counts[c] > 0;
    }
    return plan->shapes[node->kernel][0] == rows && plan->widths[node->output] % columns == 0 &&
           plan->shapes[node->kernel][1] == plan->widths[node->output] / columns;
}

/* The next column with edges; 0 after the last. Begins with input −1 and all else 0. */
static int next_column(const fm_node *node, column *at) {
    if (at->input >= 0) {
        at->index++;
        at->first_row += at->bins + 1;
        at->edges += at->bins + 1;
    } else
        at->edges = node->spec.edges;
    do
        at->input++;
    while (at->input < node->inputs && node->spec.edge_counts[at->input] == 0);
    if (at->input == node->inputs)
        return 0;
    at->bins = node->spec.edge_counts[at->input] - 1;
    return 1;
}

/* The bin of x, which is not NaN, and its place there. */
static place place_of(const column *at, float x) {
    const float *edges = at->edges;
    ptrdiff_t bin = 0;
    for (ptrdiff_t count = at->bins; count > 1;) {
        const ptrdiff_t half = count / 2;
        bin = edges[bin + half] <= x ? bin + half : bin;
        count -= half;
    }
    const float z = (x - edges[bin]) / (edges[bin + 1] - edges[bin]), low = bin == 0 ? -1.0f : 0.0f,
                high = bin == at->bins - 1 ? 2.0f : 1.0f;
    const float raised = z > low ? z : low;
    return (place){bin, raised < high ? raised : high};
}

static const float *inputs_of(const fm_pass *pass, const fm_node *node) { return pass->workspace->value[node->spec.input]; }

/* sums[b] is the first row of the table plus those of the bins below b, in 16 columns. */
static void sum_rows(const float *table, ptrdiff_t bins, float *sums) {
    memcpy(sums, table, FM_PANEL * sizeof *sums);
    for (ptrdiff_t i = FM_PANEL; i < bins * FM_PANEL; i++)
        sums[i] = sums[i - FM_PANEL] + table[i];
}

static void embed(const fm_pass *pass, const fm_node *node, const column *at, fm_range rows) {
    const fm_network *network = pass->network;
    const ptrdiff_t columns = table_columns(network, node), x_row = network->stride[node->spec.input];
    const ptrdiff_t out_row = network->stride[node->spec.output];
    const float *x = inputs_of(pass, node) + at->input;
    float *out = pass->workspace->value[node->spec.output] + at->index * columns, sums[MAX_ROWS * FM_PANEL];
    for (ptrdiff_t c = 0; c < columns; c += FM_PANEL) {
        const ptrdiff_t n = columns - c < FM_PANEL ? columns - c : FM_PANEL;
        const float *table = network->value + node->kernel + c * table_rows(network, node) + at->first_row * FM_PANEL;
        sum_rows(table, at->bins, sums);
        for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
            const float number = x[r * x_row];
            const int missing = isnan(number);
            const place here = missing ? (place){0, 0.0f} : place_of(at, number);
            const float *sum = sums + here.bin * FM_PANEL, *slope = table + (here.bin + 1) * FM_PANEL;
            for (ptrdiff_t i = 0; i < n; i++)
                out[r * out_row + c + i] = sum[i] + here.z * slope[i];
        }
    }
}

void fm_bin_embedding_forward(const fm_pass *pass, const fm_node *node) {
    const fm_range rows = fm_partition_rows(fm_rows(pass, node->spec.output), pass->worker);
    column at = {.input = -1};
    while (rows.begin < rows.end && next_column(node, &at))
        embed(pass, node, &at, rows);
}

/* The gradient of the rows of one column, in 16 columns. Those of a bin get z times the gradient of each number in it, and all of that of
 * each number above it. */
static void table_gradient(const fm_pass *pass, const fm_node *node, const column *at, ptrdiff_t c, ptrdiff_t n, float *gradient,
                           float *above) {
    const ptrdiff_t rows = fm_rows(pass, node->spec.output), x_row = pass->network->stride[node->spec.input];
    const ptrdiff_t grad_row = pass->network->stride[node->spec.output];
    const float *x = inputs_of(pass, node) + at->input;
    const float *grad = pass->workspace->grad[node->spec.output] + at->index * table_columns(pass->network, node) + c;
    const size_t size = (size_t)(at->bins + 1) * FM_PANEL * sizeof *gradient;
    memset(gradient, 0, size);
    memset(above, 0, size);
    for (ptrdiff_t r = 0; r < rows; r++) {
        const float number = x[r * x_row], *g = grad + r * grad_row;
        const place here = isnan(number) ? (place){0, 0.0f} : place_of(at, number);
        float *whole = above + here.bin * FM_PANEL, *part = gradient + (here.bin + 1) * FM_PANEL;
        for (ptrdiff_t i = 0; i < n; i++) {
            whole[i] += g[i];
            part[i] += here.z * g[i];
        }
    }
    for (ptrdiff_t i = at->bins * FM_PANEL - 1; i >= 0; i--) { /* above[b] becomes the sum over all numbers in bin b and above it */
        above[i] += i + FM_PANEL < at->bins * FM_PANEL ? above[i + FM_PANEL] : 0.0f;
        gradient[i] += above[i];
    }
}

void fm_bin_embedding_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    const ptrdiff_t columns = table_columns(network, node);
    const fm_range own = fm_partition(node->units / columns, pass->worker);
    float *gradient = fm_scratch(pass), *above = gradient + MAX_ROWS * FM_PANEL;
    column at = {.input = -1};
    while (next_column(node, &at)) {
        if (at.index < own.begin || at.index >= own.end)
            continue;
        for (ptrdiff_t c = 0; c < columns; c += FM_PANEL) {
            const ptrdiff_t n = columns - c < FM_PANEL ? columns - c : FM_PANEL;
            table_gradient(pass, node, &at, c, n, gradient, above);
            fm_apply_step(network, step, node->kernel + c * table_rows(network, node) + at.first_row * FM_PANEL, (at.bins + 1) * FM_PANEL,
                          gradient);
        }
    }
}

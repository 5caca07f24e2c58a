/* Nodes that read integers: Embedding, which looks up rows of a table, and CategoryEncoding, which encodes integers as columns.
 *
 * Integers come as floats. One that is not an integer in range, which the caller should have rejected, becomes NaN and updates nothing.
 */
#include "engine/ops/embedding.h"
#include "engine/graph/validate.h"
#include "engine/optim/deferred.h"

#include <math.h>
#include <string.h>

/* The number as an index below `count`, or −1. */
static ptrdiff_t index_of(float number, ptrdiff_t count) {
    const int inside = number >= 0.0f && number < (float)count; /* not of NaN */
    return inside && number == truncf(number) ? (ptrdiff_t)number : -1;
}

static const float *numbers_of(const fm_pass *pass, const fm_node *node, ptrdiff_t row) {
    return pass->workspace->value[node->spec.input] + row * pass->network->stride[node->spec.input];
}

static ptrdiff_t entries_of(const fm_network *network, const fm_node *node) { return network->shape[node->spec.kernel][0]; }

static ptrdiff_t columns_of(const fm_network *network, const fm_node *node) { return network->shape[node->spec.kernel][1]; }

int fm_validate_embedding(const fm_plan *plan, const fm_node_spec *node) {
    const int64_t inputs = plan->widths[node->input], units = plan->widths[node->output];
    return fm_is_index(node->kernel, plan->parameter_count) && node->bias == -1 && units % inputs == 0 &&
           plan->shapes[node->kernel][1] == units / inputs;
}

fm_extent fm_embedding_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows) { /* the gradient of the table, as panels */
    (void)rows;
    return (fm_extent){node->kernel_trainable ? entries_of(network, node) : 0, FM_ROUND_UP(columns_of(network, node))};
}

/* Copies one row of the table, whose panels are entries · 16 apart. */
static void look_up(const float *table, ptrdiff_t entries, ptrdiff_t columns, ptrdiff_t index, float *out) {
    for (ptrdiff_t c = 0; c < columns; c += FM_PANEL) {
        const ptrdiff_t n = columns - c < FM_PANEL ? columns - c : FM_PANEL;
        if (index >= 0)
            memcpy(out + c, table + c * entries + index * FM_PANEL, (size_t)n * sizeof *out);
        for (ptrdiff_t i = 0; i < n && index < 0; i++)
            out[c + i] = NAN;
    }
}

/* Brings the rows that the batch looks up up to date. Each worker owns some rows of the table. */
static void flush_looked_up(const fm_pass *pass, const fm_node *node) {
    const ptrdiff_t entries = entries_of(pass->network, node);
    fm_deferred_table *table = fm_table_at(pass->network, node->kernel);
    const fm_range own = fm_partition(entries, pass->worker);
    if (!table || !pass->network->deferred.steps)
        return;
    for (ptrdiff_t r = 0; r < pass->rows; r++) {
        const float *numbers = numbers_of(pass, node, r);
        for (ptrdiff_t p = 0; p < node->inputs; p++) {
            const ptrdiff_t entry = index_of(numbers[p], entries);
            if (entry >= own.begin && entry < own.end)
                fm_flush_row(pass->network, table, entry);
        }
    }
    fm_team_barrier(pass->worker);
}

void fm_embedding_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const ptrdiff_t entries = entries_of(network, node), columns = columns_of(network, node);
    if (pass->deferred)
        flush_looked_up(pass, node);
    const fm_range rows = fm_partition_rows(pass->rows, pass->worker);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        const float *numbers = numbers_of(pass, node, r);
        float *out = pass->workspace->value[node->spec.output] + r * network->stride[node->spec.output];
        for (ptrdiff_t p = 0; p < node->inputs; p++)
            look_up(network->value + node->kernel, entries, columns, index_of(numbers[p], entries), out + p * columns);
    }
}

static void add_to_row(float *table, ptrdiff_t entries, ptrdiff_t columns, ptrdiff_t index, const float *grad) {
    for (ptrdiff_t c = 0; c < columns; c += FM_PANEL) {
        const ptrdiff_t n = columns - c < FM_PANEL ? columns - c : FM_PANEL;
        float *to = table + c * entries + index * FM_PANEL;
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] += grad[c + i];
    }
}

/* Applies the step to some rows of the table and clears their gradient. */
static void step_rows(const fm_pass *pass, const fm_node *node, const fm_step *step, float *gradient, fm_range rows) {
    const ptrdiff_t entries = entries_of(pass->network, node), n = (rows.end - rows.begin) * FM_PANEL;
    for (ptrdiff_t panel = 0; panel < FM_ROUND_UP(columns_of(pass->network, node)) / FM_PANEL; panel++) {
        const ptrdiff_t at = (panel * entries + rows.begin) * FM_PANEL;
        fm_apply_step(pass->network, step, node->kernel + at, n, gradient + at);
        memset(gradient + at, 0, (size_t)n * sizeof *gradient);
    }
}

/* Visits the positions, in the order of rows and columns, that look up one of the worker's rows of the table: adds to the gradient of
 * the row, or with a step applies that, once to each row if the table marks the rows that have taken it. */
static void visit_places(const fm_pass *pass, const fm_node *node, const fm_step *step, const fm_deferred_table *table, float *gradient,
                         fm_range own) {
    const fm_network *network = pass->network;
    const ptrdiff_t entries = entries_of(network, node), columns = columns_of(network, node);
    for (ptrdiff_t r = 0; r < pass->rows; r++) {
        const float *numbers = numbers_of(pass, node, r);
        const float *grad = pass->workspace->grad[node->spec.output] + r * network->stride[node->spec.output];
        for (ptrdiff_t p = 0; p < node->inputs; p++) {
            const ptrdiff_t entry = index_of(numbers[p], entries);
            if (entry < own.begin || entry >= own.end)
                continue;
            if (step && !(table && table->done[entry] > (uint32_t)step->deferred)) {
                step_rows(pass, node, step, gradient, (fm_range){entry, entry + 1});
                if (table)
                    table->done[entry] = (uint32_t)step->deferred + 1;
            } else if (!step)
                add_to_row(gradient, entries, columns, entry, grad + p * columns);
        }
    }
}

/* The gradient of a row of the table is the sum over the positions that look it up. Each worker owns some rows of the table and scans
 * all positions for them. */
void fm_embedding_update(const fm_pass *pass, const fm_node *node, const fm_step *step) {
    const fm_network *network = pass->network;
    float *gradient = pass->workspace->saved[node->index]; /* zero between batches */
    const fm_range own = fm_partition(entries_of(network, node), pass->worker);
    visit_places(pass, node, NULL, NULL, gradient, own);
    /* If rows without a gradient do not change, or change later, only rows that were looked up take a step. Repeating it at every position
     * changes nothing in the first case, because the gradient is cleared. */
    const fm_deferred_table *table = pass->deferred ? fm_table_at(pass->network, node->kernel) : NULL;
    const int changes_no_other = fm_zero_gradient_is_noop(network) && pass->rows * node->inputs < entries_of(network, node);
    if (step->update && (table || changes_no_other))
        visit_places(pass, node, step, table, gradient, own);
    else
        step_rows(pass, node, step, gradient, own);
}

int fm_validate_category_encoding(const fm_plan *plan, const fm_node_spec *node) {
    if (node->mode == FM_MODE_ONE_HOT)
        return plan->widths[node->output] % plan->widths[node->input] == 0;
    return node->mode == FM_MODE_MULTI_HOT || node->mode == FM_MODE_COUNT;
}

void fm_category_encoding_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const int one_hot = node->spec.mode == FM_MODE_ONE_HOT, counts = node->spec.mode == FM_MODE_COUNT;
    const ptrdiff_t tokens = one_hot ? node->units / node->inputs : node->units;
    const fm_range rows = fm_partition_rows(pass->rows, pass->worker);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        const float *numbers = numbers_of(pass, node, r);
        float *out = pass->workspace->value[node->spec.output] + r * network->stride[node->spec.output];
        memset(out, 0, (size_t)node->units * sizeof *out);
        for (ptrdiff_t p = 0; p < node->inputs; p++) {
            if (node->spec.drops && numbers[p] == -1.0f)
                continue;
            const ptrdiff_t token = index_of(numbers[p], tokens), at = one_hot ? p * tokens : 0;
            for (ptrdiff_t t = 0; t < tokens && token < 0; t++)
                out[at + t] = NAN;
            if (token >= 0)
                out[at + token] = (counts ? out[at + token] : 0.0f * out[at + token]) + 1.0f; /* NaN stays */
        }
    }
}

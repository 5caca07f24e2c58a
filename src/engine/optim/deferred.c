/* Deferred updates: rows of the first kernel skip optimizer steps while their input is zero, and rows of the table of an embedding while they
 * are not looked up; they replay these steps before anything reads them.
 *
 * A word that does not occur in a batch has a zero gradient, but momentum still moves its weights and the running means still decay.
 * Doing that in every step would make the cost of a step proportional to the size of the vocabulary. Instead a row replays the steps it
 * missed when its word occurs again, in registers and with the same operations in the same order, so that no bit changes. All rows are
 * flushed before weights or slots are read, written or used without CSR.
 */
#include "engine/optim/deferred.h"
#include "engine/base/arena.h"
#include "engine/data/sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int fm_zero_gradient_is_noop(const fm_network *network) {
    return network->update.kind == FM_OPTIMIZER_sgd && network->update.momentum == 0.0 && !network->optimizer.has_adjustments;
}

int fm_may_defer(const fm_network *network) {
    const fm_update_spec *update = &network->update;
    const fm_optimizer *optimizer = &network->optimizer;
    if (!fm_step_of(network).replay || update->centered != 0.0 || update->amsgrad != 0.0 || optimizer->has_adjustments ||
        optimizer->needs_full_gradient || optimizer->has_post_update)
        return 0;
    /* Without epsilon 0 is divided by 0, and that NaN must appear at once. */
    return !network->state.unfused && !network->accumulates && (update->kind == FM_OPTIMIZER_sgd || (float)update->epsilon > 0.0f);
}

/* The first kernel, if the input may be sparse; else the table of an embedding. */
static int is_table(const fm_network *network, const fm_node *node) {
    return (network->first_dense ? node == network->first_dense : node->spec.op == FM_OP_embedding) && node->kernel_trainable;
}

static ptrdiff_t rows_of(const fm_network *network, const fm_node *node) { return network->shape[node->spec.kernel][0]; }

#define TABLE_ROWS_PER_LOOKUP 4 /* … or more, for the updates that are saved to outweigh the marks that are kept */

int fm_may_defer_tables(const fm_network *network, ptrdiff_t batch_rows) {
    if (fm_zero_gradient_is_noop(network))
        return 0; /* rows that are not looked up need no update at all */
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (node->spec.op == FM_OP_embedding && is_table(network, node) &&
            rows_of(network, node) / TABLE_ROWS_PER_LOOKUP >= batch_rows * node->inputs)
            return 1;
    }
    return 0;
}

/* The number of steps after which Adam's momentum has decayed to 2⁻³⁰, or 0 if the series would not be exact up to rounding: the
 * truncation error, the mean of xⁿ with n = FM_SERIES, must stay below 2⁻²³. */
static ptrdiff_t horizon_of(const fm_update_spec *update) {
    const double decay = update->beta_1, root_fade = sqrt(update->beta_2);
    double weight = 1.0, root = 1.0, sum = 0.0, left_out = 0.0;
    if (update->rounded == 0.0 || update->kind != FM_OPTIMIZER_adam)
        return 0;
    for (ptrdiff_t i = 1; i <= FM_MAX_DEFERRED_STEPS / 4; i++) {
        weight *= decay;
        root *= root_fade;
        sum += weight;
        left_out += weight * pow(1.0 - root, FM_SERIES);
        if (weight < 0x1p-30)
            return left_out <= 0x1p-23 * sum ? i : 0;
    }
    return 0;
}

/* With x_i = 1 − √β₂ⁱ and u = √v / (√v + ε), the i-th deferred step moves a parameter by
 * α_i·m·β₁ⁱ / (√v·√β₂ⁱ + ε) = m / (√v + ε) · α_i·β₁ⁱ / (1 − u·x_i) = m / (√v + ε) · Σ_n α_i·β₁ⁱ·x_iⁿ · uⁿ.
 * The coefficients of uⁿ, summed over the steps, are the same for all parameters of a row: its series. */
static void fill_tables(const fm_update_spec *update, ptrdiff_t horizon, float (*weights)[FM_SERIES], float (*decay)[2]) {
    double left = 1.0, left_of_square = 1.0;
    for (ptrdiff_t i = 0; i <= FM_MAX_DEFERRED_STEPS; i++) {
        decay[i][0] = (float)left;
        decay[i][1] = (float)left_of_square;
        left *= update->beta_1;
        left_of_square *= update->beta_2;
        for (int n = 0; n < FM_SERIES && i < horizon; n++)
            weights[i][n] = (float)(left * pow(1.0 - sqrt(left_of_square), n));
    }
}

fm_status fm_ensure_deferred(fm_network *network) {
    fm_deferred *deferred = &network->deferred;
    if (deferred->memory || fm_zero_gradient_is_noop(network))
        return FM_STATUS_OK;
    const ptrdiff_t horizon = horizon_of(&network->update);
    fm_layout layout = {0, 0};
    const size_t rates = fm_layout_add(&layout, FM_MAX_DEFERRED_STEPS, 1, sizeof(float));
    int count = 0;
    ptrdiff_t rows = 0;
    for (int i = 0; i < network->node_count; i++)
        if (is_table(network, &network->nodes[i])) {
            rows += rows_of(network, &network->nodes[i]);
            count++;
        }
    const size_t tables = fm_layout_add(&layout, count, 1, sizeof *deferred->tables);
    const size_t done = fm_layout_add(&layout, rows, 1, sizeof(uint32_t));
    const size_t series = fm_layout_add(&layout, horizon ? FM_MAX_DEFERRED_STEPS : 0, 1, sizeof *deferred->series);
    const size_t weights = fm_layout_add(&layout, horizon, 1, sizeof *deferred->weights);
    const size_t decay = fm_layout_add(&layout, horizon ? FM_MAX_DEFERRED_STEPS + 1 : 0, 1, sizeof *deferred->decay);
    deferred->memory = fm_layout_allocate(&layout);
    if (!deferred->memory)
        return FM_STATUS_NO_MEMORY;
    deferred->learning_rate = (float *)(deferred->memory + rates);
    deferred->horizon = horizon;
    deferred->tables = (fm_deferred_table *)(deferred->memory + tables);
    uint32_t *marks = (uint32_t *)(deferred->memory + done);
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (!is_table(network, node))
            continue;
        const ptrdiff_t panels = FM_ROUND_UP(network->shape[node->spec.kernel][1]) / FM_PANEL;
        deferred->tables[deferred->count++] = (fm_deferred_table){node->kernel, rows_of(network, node), panels, marks};
        marks += rows_of(network, node);
    }
    if (horizon) {
        float (*table)[FM_SERIES] = (float (*)[FM_SERIES])(deferred->memory + weights);
        float (*decays)[2] = (float (*)[2])(deferred->memory + decay);
        fill_tables(&network->update, horizon, table, decays);
        deferred->series = (float (*)[FM_SERIES])(deferred->memory + series);
        deferred->weights = (const float (*)[FM_SERIES])table;
        deferred->decay = (const float (*)[2])decays;
    }
    return FM_STATUS_OK;
}

void fm_free_deferred(fm_network *network) {
    free(network->deferred.memory);
    network->deferred = (fm_deferred){.memory = NULL};
}

void fm_record_step(fm_network *network, const fm_step *step) {
    fm_deferred *deferred = &network->deferred;
    if (fm_zero_gradient_is_noop(network))
        return;
    const float rate = step->constants.learning_rate;
    const ptrdiff_t now = deferred->steps++;
    deferred->learning_rate[now] = rate;
    deferred->max_learning_rate = fmaxf(deferred->max_learning_rate, rate);
    for (ptrdiff_t i = 0; i < deferred->horizon && i <= now; i++)
        for (int n = 0; n < FM_SERIES; n++)
            deferred->series[now - i][n] = (i ? deferred->series[now - i][n] : 0.0f) + rate * deferred->weights[i][n];
}

void fm_list_stale(const fm_pass *pass) {
    const fm_deferred *deferred = &pass->network->deferred;
    fm_csc *own = &pass->workspace->csc[pass->worker.id];
    own->stale = 0;
    for (ptrdiff_t i = 0; deferred->steps && i < own->count; i++) {
        own->stale_column[own->stale] = own->column[i];
        own->stale += deferred->tables[0].done[own->column[i]] < (uint32_t)deferred->steps;
    }
}

/* Replays rows in some panels: those listed in `rows`, or `count` rows from `first` if that is NULL. */
static void replay(const fm_network *network, const fm_deferred_table *table, const int32_t *rows, ptrdiff_t first, ptrdiff_t count,
                   fm_range panels) {
    const fm_deferred *deferred = &network->deferred;
    const ptrdiff_t offset = table->kernel + (panels.begin * table->rows + first) * FM_PANEL;
    const fm_step step = fm_step_of(network);
    fm_replay replay = {
        .update = step.constants,
        .rows = count,
        .panels = panels.end - panels.begin,
        .panel = table->rows * FM_PANEL,
        .done = table->done + first,
        .steps = deferred->steps,
        .learning_rate = deferred->learning_rate,
        .max_learning_rate = deferred->max_learning_rate,
        .series = deferred->horizon ? (const float (*)[FM_SERIES])deferred->series : NULL,
        .decay = deferred->decay,
    };
    if (count == 0 || replay.panels == 0)
        return;
    replay.update.w = network->value + offset;
    replay.update.index = rows;
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        replay.update.slot[s] = network->slot[s] ? network->slot[s] + offset : NULL;
    step.replay(&replay);
}

void fm_flush_stale(const fm_pass *pass) {
    if (!pass->network->deferred.steps)
        return;
    const fm_column_shard shard = fm_shard_columns(pass, pass->network->first_dense);
    for (int i = 0; i < shard.count; i++)
        replay(pass->network, &pass->network->deferred.tables[0], shard.csc[i].stale_column, 0, shard.csc[i].stale, shard.panels);
    fm_team_barrier(pass->worker);
}

void fm_mark_current(const fm_pass *pass, ptrdiff_t steps) {
    const fm_csc *own = &pass->workspace->csc[pass->worker.id];
    if (fm_zero_gradient_is_noop(pass->network))
        return;
    for (ptrdiff_t i = 0; i < own->count; i++)
        pass->network->deferred.tables[0].done[own->column[i]] = (uint32_t)steps;
}

fm_deferred_table *fm_table_at(fm_network *network, ptrdiff_t kernel) {
    fm_deferred *deferred = &network->deferred;
    for (int i = 0; i < deferred->count; i++)
        if (deferred->tables[i].kernel == kernel)
            return &deferred->tables[i];
    return NULL;
}

void fm_flush_row(const fm_network *network, fm_deferred_table *table, ptrdiff_t row) {
    if (table->done[row] >= (uint32_t)network->deferred.steps)
        return;
    replay(network, table, NULL, row, 1, (fm_range){0, table->panels});
    table->done[row] = (uint32_t)network->deferred.steps;
}

void fm_reset_deferred(fm_network *network) {
    fm_deferred *deferred = &network->deferred;
    for (int i = 0; i < deferred->count; i++)
        memset(deferred->tables[i].done, 0, (size_t)deferred->tables[i].rows * sizeof *deferred->tables[i].done);
    deferred->steps = 0;
    deferred->max_learning_rate = 0.0f;
}

void fm_flush_worker(fm_network *network, fm_worker worker) {
    for (int i = 0; i < network->deferred.count; i++) {
        const fm_deferred_table *table = &network->deferred.tables[i];
        const fm_range rows = fm_partition(table->rows, worker);
        replay(network, table, NULL, rows.begin, rows.end - rows.begin, (fm_range){0, table->panels});
    }
    fm_team_barrier(worker);
    if (worker.id == 0)
        fm_reset_deferred(network);
    fm_team_barrier(worker);
}

static void flush_task(void *argument, fm_worker worker) { fm_flush_worker(argument, worker); }

#define SIZE_PER_THREAD 65536 /* parameters for which waking another thread pays */

void fm_flush(fm_network *network) {
    const fm_deferred *deferred = &network->deferred;
    if (!deferred->steps)
        return;
    double worth = 0.0;
    for (int i = 0; i < deferred->count; i++)
        worth += (double)deferred->tables[i].rows * (double)deferred->tables[i].panels * FM_PANEL / SIZE_PER_THREAD;
    const int threads = fm_get_threads();
    fm_team_run(flush_task, network, worth < threads ? (int)worth : threads);
}

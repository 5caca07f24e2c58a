/* Optimizer steps that rows of the first kernel put off while their input is zero, and catch up on before anybody looks.
 *
 * A word that does not occur in a batch has the gradient zero, but momentum still moves its weights and the running means still fade. Doing
 * that in every step would make a step as dear as the vocabulary is large. A row takes the steps it has missed when its word comes
 * again, all at once, in registers: the same operations in the same order as before, so no bit changes. Everything is settled before
 * weights or slots are read, written or used without lists.
 */
#include "engine/optim/deferred.h"
#include "engine/base/arena.h"
#include "engine/data/lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int fm_stands_still(const fm_network *network) {
    return network->update.kind == FM_OPTIMIZER_sgd && network->update.momentum == 0.0 && !network->around.adjusts;
}

int fm_may_put_off(const fm_network *network) {
    const fm_update_spec *update = &network->update;
    const fm_surroundings *around = &network->around;
    if (!fm_step_of(network).replay || update->centered || update->amsgrad || around->adjusts || around->whole || around->follows)
        return 0;
    /* Without an epsilon zero is divided by zero, and the NaN must be seen at once. */
    return !network->state.unfused && !network->accumulates && network->nodes[0].kernel_moves &&
           (update->kind == FM_OPTIMIZER_sgd || (float)update->epsilon > 0.0f);
}

/* Steps after which Adam's momentum has faded to 2⁻³⁰, or 0 if the series would not give its sum up to rounding: what is left out, the mean of
 * xⁿ with n = FM_SERIES, must stay below 2⁻²³. */
static ptrdiff_t reach_of(const fm_update_spec *update) {
    const double fade = update->beta_1, root_fade = sqrt(update->beta_2);
    double weight = 1.0, root = 1.0, sum = 0.0, left_out = 0.0;
    if (!update->rounded || update->kind != FM_OPTIMIZER_adam)
        return 0;
    for (ptrdiff_t i = 1; i <= FM_LAZY_STEPS / 4; i++) {
        weight *= fade;
        root *= root_fade;
        sum += weight;
        left_out += weight * pow(1.0 - root, FM_SERIES);
        if (weight < 0x1p-30)
            return left_out <= 0x1p-23 * sum ? i : 0;
    }
    return 0;
}

/* With x_i = 1 − √β₂ⁱ and u = √v / (√v + ε), the i-th of the steps put off moves a parameter by
 * α_i·m·β₁ⁱ / (√v·√β₂ⁱ + ε) = m / (√v + ε) · α_i·β₁ⁱ / (1 − u·x_i) = m / (√v + ε) · Σ_n α_i·β₁ⁱ·x_iⁿ · uⁿ,
 * and the factors before uⁿ, added up over the steps, are the same for all parameters of a row: its series. */
static void fill_tables(const fm_update_spec *update, ptrdiff_t reach, float (*weights)[FM_SERIES], float (*fade)[2]) {
    double left = 1.0, left_of_square = 1.0;
    for (ptrdiff_t i = 0; i <= FM_LAZY_STEPS; i++) {
        fade[i][0] = (float)left;
        fade[i][1] = (float)left_of_square;
        left *= update->beta_1;
        left_of_square *= update->beta_2;
        for (int n = 0; n < FM_SERIES && i < reach; n++)
            weights[i][n] = (float)(left * pow(1.0 - sqrt(left_of_square), n));
    }
}

fm_status fm_need_lazy(fm_network *network) {
    fm_lazy *lazy = &network->lazy;
    if (lazy->memory || fm_stands_still(network))
        return FM_STATUS_OK;
    const ptrdiff_t reach = reach_of(&network->update);
    fm_layout layout = {0, 0};
    const size_t rates = fm_layout_add(&layout, FM_LAZY_STEPS, 1, sizeof(float));
    const size_t done = fm_layout_add(&layout, network->width[0], 1, sizeof(uint32_t));
    const size_t series = fm_layout_add(&layout, reach ? FM_LAZY_STEPS : 0, 1, sizeof *lazy->series);
    const size_t weights = fm_layout_add(&layout, reach, 1, sizeof *lazy->weights);
    const size_t fade = fm_layout_add(&layout, reach ? FM_LAZY_STEPS + 1 : 0, 1, sizeof *lazy->fade);
    lazy->memory = fm_layout_allocate(&layout);
    if (!lazy->memory)
        return FM_STATUS_NO_MEMORY;
    lazy->learning_rate = (float *)(lazy->memory + rates);
    lazy->done = (uint32_t *)(lazy->memory + done);
    lazy->reach = reach;
    if (reach) {
        float (*table)[FM_SERIES] = (float (*)[FM_SERIES])(lazy->memory + weights);
        float (*fades)[2] = (float (*)[2])(lazy->memory + fade);
        fill_tables(&network->update, reach, table, fades);
        lazy->series = (float (*)[FM_SERIES])(lazy->memory + series);
        lazy->weights = (const float (*)[FM_SERIES])table;
        lazy->fade = (const float (*)[2])fades;
    }
    return FM_STATUS_OK;
}

void fm_forget_lazy(fm_network *network) {
    free(network->lazy.memory);
    network->lazy = (fm_lazy){.memory = NULL};
}

void fm_note_step(fm_network *network, const fm_step *step) {
    fm_lazy *lazy = &network->lazy;
    if (fm_stands_still(network))
        return;
    const float rate = step->constants.learning_rate;
    const ptrdiff_t now = lazy->steps++;
    lazy->learning_rate[now] = rate;
    lazy->highest_rate = fmaxf(lazy->highest_rate, rate);
    for (ptrdiff_t i = 0; i < lazy->reach && i <= now; i++)
        for (int n = 0; n < FM_SERIES; n++)
            lazy->series[now - i][n] = (i ? lazy->series[now - i][n] : 0.0f) + rate * lazy->weights[i][n];
}

void fm_list_late(const fm_pass *pass) {
    const fm_lazy *lazy = &pass->network->lazy;
    fm_column_lists *own = &pass->workspace->columns[pass->worker.id];
    own->late = 0;
    for (ptrdiff_t i = 0; lazy->steps && i < own->count; i++) {
        own->behind[own->late] = own->column[i];
        own->late += lazy->done[own->column[i]] < (uint32_t)lazy->steps;
    }
}

/* Catches up rows of some panels: those listed, or if there is no list `count` rows from the first. */
static void replay(const fm_network *network, const int32_t *rows, ptrdiff_t first, ptrdiff_t count, fm_range panels) {
    const fm_node *node = &network->nodes[0];
    const fm_lazy *lazy = &network->lazy;
    const ptrdiff_t offset = node->kernel + (panels.begin * node->inputs + first) * FM_PANEL;
    const fm_step step = fm_step_of(network);
    fm_replay replay = {
        .update = step.constants,
        .rows = count,
        .panels = panels.end - panels.begin,
        .panel = node->inputs * FM_PANEL,
        .done = lazy->done + first,
        .steps = lazy->steps,
        .learning_rate = lazy->learning_rate,
        .highest_rate = lazy->highest_rate,
        .series = lazy->reach ? (const float (*)[FM_SERIES])lazy->series : NULL,
        .fade = lazy->fade,
    };
    if (count == 0 || replay.panels == 0)
        return;
    replay.update.w = network->value + offset;
    replay.update.index = rows;
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        replay.update.slot[s] = network->slot[s] ? network->slot[s] + offset : NULL;
    step.replay(&replay);
}

void fm_catch_up(const fm_pass *pass) {
    if (!pass->network->lazy.steps)
        return;
    const fm_share_of_columns share = fm_share_columns(pass, &pass->network->nodes[0]);
    for (int i = 0; i < share.count; i++)
        replay(pass->network, share.columns[i].behind, 0, share.columns[i].late, share.panels);
    fm_team_barrier(pass->worker);
}

void fm_mark_columns(const fm_pass *pass, ptrdiff_t steps) {
    const fm_column_lists *own = &pass->workspace->columns[pass->worker.id];
    if (fm_stands_still(pass->network))
        return;
    for (ptrdiff_t i = 0; i < own->count; i++)
        pass->network->lazy.done[own->column[i]] = (uint32_t)steps;
}

void fm_drop_lazy(fm_network *network) {
    memset(network->lazy.done, 0, (size_t)network->width[0] * sizeof *network->lazy.done);
    network->lazy.steps = 0;
    network->lazy.highest_rate = 0.0f;
}

void fm_settle_share(fm_network *network, fm_worker worker) {
    const fm_range rows = fm_share(network->width[0], worker);
    replay(network, NULL, rows.begin, rows.end - rows.begin, (fm_range){0, network->nodes[0].panels});
    fm_team_barrier(worker);
    if (worker.id == 0)
        fm_drop_lazy(network);
    fm_team_barrier(worker);
}

static void settle_task(void *argument, fm_worker worker) { fm_settle_share(argument, worker); }

#define SIZE_PER_THREAD 65536 /* parameters that are worth waking a thread for */

void fm_settle(fm_network *network) {
    if (!network->lazy.steps)
        return;
    const double worth = (double)network->width[0] * (double)network->nodes[0].panels * FM_PANEL / SIZE_PER_THREAD;
    const int threads = fm_get_threads();
    fm_team_run(settle_task, network, worth < threads ? (int)worth : threads);
}

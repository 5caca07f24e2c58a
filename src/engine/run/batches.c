/* One minibatch after the other, by all workers: gather rows, forward, loss, backward with the update in its tail. */
#include "engine/run/batches.h"
#include "engine/base/clock.h"
#include "engine/data/gather.h"
#include "engine/data/lists.h"
#include "engine/ops/norm.h"
#include "engine/optim/constraints.h"
#include "engine/optim/deferred.h"
#include "engine/optim/penalties.h"
#include "engine/optim/update.h"
#include "engine/run/executor.h"
#include "engine/run/objective.h"

#include <string.h>

static ptrdiff_t rows_of(const fm_batches *b, int64_t batch) {
    const int64_t left = b->rows - batch * b->batch_size;
    return (ptrdiff_t)(left < b->batch_size ? left : b->batch_size);
}

/* This worker's rows of what the losses compare with their targets, for metrics that the engine does not compute. */
static void hand_out(const fm_run *r, const fm_pass *pass) {
    const fm_network *network = r->network;
    const fm_range rows = fm_share_rows(pass->rows, pass->worker);
    ptrdiff_t total = 0, column = 0;
    for (int t = 0; t < network->term_count; t++)
        total += network->width[network->terms[t].objective.output] * network->per[network->terms[t].objective.output];
    float *to = r->batches->predictions + ((r->batch - r->first) * r->batches->batch_size + rows.begin) * total;
    for (int t = 0; t < network->term_count; t++) {
        const int output = network->terms[t].objective.output;
        const ptrdiff_t width = network->width[output], stride = network->stride[output], per = network->per[output];
        const float *from = pass->workspace->value[output] + rows.begin * per * stride;
        for (ptrdiff_t i = 0; i < (rows.end - rows.begin) * per; i++)
            memcpy(to + i / per * total + column + i % per * width, from + i * stride, (size_t)width * sizeof *to);
        column += width * per;
    }
}

static double sum(const float *values, ptrdiff_t n) {
    double total = 0.0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += (double)values[i];
    return total;
}

/* Worker 0 adds the batch to the totals, in the order of the rows whatever the number of threads. */
static void account(const fm_run *r, const fm_pass *pass) {
    const fm_network *network = r->network;
    const fm_workspace *w = pass->workspace;
    const double rows = (double)pass->rows;
    double *totals = r->totals, *next = totals + 2;
    totals[0] += r->penalty * rows + (network->penalizes_activity ? sum(w->activity, pass->rows) : 0.0);
    totals[1] += rows;
    for (int t = 0; t < network->term_count; t++) {
        const fm_objective *o = &network->terms[t].objective;
        const fm_target_arrays *targets = &w->targets[t];
        const double per = (double)network->per[o->output];
        const ptrdiff_t own = fm_rows(pass, o->output);
        const double loss = sum(targets->loss, own) / per;
        totals[0] += o->weight * loss;
        if (network->term_count > 1) {
            *next++ += loss;
            *next++ += rows;
        }
        for (int m = 0; m < o->metric_count; m++) {
            *next++ += sum(targets->metric + m * fm_room(pass, o->output), own) / per;
            *next++ += o->metrics[m].weighted && r->batches->sample_weight ? sum(targets->weight, own) / per : rows;
        }
    }
}

static void backward_and_update(const fm_run *r, const fm_pass *pass, const fm_step *step) {
    const fm_surroundings *around = &r->network->around;
    if (r->updating)
        fm_move_statistics(pass);
    if (r->updating && !r->apart) {
        fm_backward(pass, step);
    } else {
        const fm_step keep = {.update = NULL};
        if (r->network->accumulates) {
            const fm_range share = fm_share(r->network->size, pass->worker);
            memset(r->network->gradient + share.begin, 0, (size_t)(share.end - share.begin) * sizeof(float));
            fm_team_barrier(pass->worker);
        }
        fm_backward(pass, &keep);
        if (r->updating || around->penalized)
            fm_team_barrier(pass->worker);
        if (r->updating)
            fm_update_apart(pass, step);
        else if (around->penalized)
            fm_add_penalty_gradients(pass);
    }
    if (r->updating && around->follows) {
        fm_team_barrier(pass->worker);
        fm_follow_update(pass, step);
    }
}

/* The lists by column that the weight gradient needs, and the steps that their weights have put off; ends with a barrier. 0 if there is no
 * memory. */
static int prepare_columns(fm_run *r, const fm_pass *pass) {
    if (!fm_list_columns(pass))
        atomic_store(&r->no_memory, 1);
    else if (r->lazy)
        fm_list_late(pass);
    fm_team_barrier(pass->worker);
    if (atomic_load(&r->no_memory))
        return 0;
    if (r->lazy) {
        fm_catch_up(pass);
        if (r->lends) /* while others look, and settle what is put off, these columns have caught up already */
            fm_mark_columns(pass, pass->network->lazy.steps);
    }
    return 1;
}

/* All losses and metrics, for this worker's rows. */
static void measure(fm_run *r, const fm_pass *pass) {
    for (int t = 0; t < r->network->term_count && !atomic_load(&r->interrupted); t++) {
        const fm_outcome outcome = fm_measure(pass, r->batches, t);
        if (outcome.non_finite)
            atomic_store(&r->non_finite, 1);
        if (outcome.interrupted)
            atomic_store(&r->interrupted, 1);
    }
}

/* The learning rate of the batch to come, where each has its own. */
static void take_rate(const fm_run *r) {
    if (r->updating && r->batches->rates)
        FM_PUBLISH(r->network->state.learning_rate, r->batches->rates[r->batch]);
}

static void run_task(void *argument, fm_worker worker) {
    fm_run *r = argument;
    fm_network *network = r->network;
    fm_workspace *workspace = r->workspace;
    while (!r->ended) {
        if (r->lazy && network->lazy.steps == FM_LAZY_STEPS)
            fm_settle_share(network, worker);
        const fm_pass pass = {
            .network = network,
            .workspace = workspace,
            .rows = rows_of(r->batches, r->batch),
            .input = workspace->value[0],
            .input_row = network->stride[0],
            .training = r->training,
            .measured = 1,
            .sparse = r->sparse,
            .worker = worker,
        };
        const fm_step step = fm_step_of(network);
        if (!fm_gather(&pass, r->batches, r->batch))
            atomic_store(&r->bad_row, 1);
        fm_team_barrier(worker);
        if (atomic_load(&r->bad_row))
            return;
        if (pass.sparse && r->training && !prepare_columns(r, &pass))
            return;
        fm_forward(&pass);
        measure(r, &pass);
        if (r->batches->predictions)
            hand_out(r, &pass);
        if (network->around.penalized)
            fm_sum_penalties(&pass);
        if (worker.id == 0) /* which has been in the functions of the user's, where all may have been settled */
            r->put_off = network->lazy.steps;
        fm_team_barrier(worker);
        if (network->around.penalized && worker.id == 0)
            r->penalty = fm_penalty(network);
        const int interrupted = atomic_load(&r->interrupted);
        if (r->training || interrupted) {
            const int failed = interrupted || atomic_load(&r->non_finite);
            if (r->lazy)
                fm_mark_columns(&pass, failed ? r->put_off : r->put_off + 1);
            if (failed)
                return;
            backward_and_update(r, &pass, &step);
        }
        if (worker.id == 0) {
            account(r, &pass);
            if (r->lazy)
                fm_note_step(network, &step);
            if (r->updating) {
                const uint64_t iterations = network->state.iterations + 1;
                FM_PUBLISH(network->state.iterations, iterations);
                fm_follow_iterations(network);
            }
            r->batch++;
            r->ended = r->batch >= r->stop || fm_now() >= r->deadline;
            if (!r->ended)
                take_rate(r);
        }
        fm_team_barrier(worker);
    }
}

void fm_run_until(fm_run *r, int threads, int many, int64_t stop, double deadline, fm_pace *pace) {
    const int64_t first = r->batch;
    const double begin = fm_now();
    if (first >= stop || atomic_load(&r->bad_row) || atomic_load(&r->no_memory) || atomic_load(&r->interrupted) ||
        (r->training && atomic_load(&r->non_finite)))
        return;
    r->stop = stop;
    r->deadline = deadline;
    r->ended = 0;
    take_rate(r);
    fm_team_run(run_task, r, many ? threads : 1);
    if (r->batch > first)
        pace->seconds_per_row[many] = (fm_now() - begin) / (double)((r->batch - first) * r->batches->batch_size);
}

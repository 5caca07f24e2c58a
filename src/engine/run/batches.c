/* The minibatch loop, run by all workers: gather, forward, loss, backward with the update in its epilogue. */
#include "engine/run/batches.h"
#include "engine/base/clock.h"
#include "engine/data/gather.h"
#include "engine/data/sparse.h"
#include "engine/ops/norm.h"
#include "engine/optim/post_update.h"
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

/* Copies this worker's rows of the predictions to the caller, for metrics that the engine does not compute. */
static void copy_predictions(const fm_run *r, const fm_pass *pass) {
    const fm_network *network = r->network;
    const fm_range rows = fm_partition_rows(pass->rows, pass->worker);
    ptrdiff_t total = 0, column = 0;
    for (int t = 0; t < network->term_count; t++)
        total += network->width[network->terms[t].objective.output] * network->rows_per_sample[network->terms[t].objective.output];
    float *to = r->batches->predictions + ((r->batch - r->first) * r->batches->batch_size + rows.begin) * total;
    for (int t = 0; t < network->term_count; t++) {
        const int output = network->terms[t].objective.output;
        const ptrdiff_t width = network->width[output], stride = network->stride[output],
                        rows_per_sample = network->rows_per_sample[output];
        const float *from = pass->workspace->value[output] + rows.begin * rows_per_sample * stride;
        for (ptrdiff_t i = 0; i < (rows.end - rows.begin) * rows_per_sample; i++)
            memcpy(to + i / rows_per_sample * total + column + i % rows_per_sample * width, from + i * stride, (size_t)width * sizeof *to);
        column += width * rows_per_sample;
    }
}

static double sum(const float *values, ptrdiff_t n) {
    double total = 0.0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += (double)values[i];
    return total;
}

/* Adds the batch to the totals; by worker 0, in the order of the rows for any number of threads. */
static void add_totals(const fm_run *r, const fm_pass *pass) {
    const fm_network *network = r->network;
    const fm_workspace *w = pass->workspace;
    const double rows = (double)pass->rows;
    double *totals = r->totals, *next = totals + 2;
    totals[0] += r->penalty * rows + (network->penalizes_activity ? sum(w->activity, pass->rows) : 0.0);
    totals[1] += rows;
    for (int t = 0; t < network->term_count; t++) {
        const fm_objective *o = &network->terms[t].objective;
        const fm_target_arrays *targets = &w->targets[t];
        const double rows_per_sample = (double)network->rows_per_sample[o->output];
        const ptrdiff_t own = fm_rows(pass, o->output);
        const double loss = sum(targets->loss, own) / rows_per_sample;
        totals[0] += o->weight * loss;
        if (network->term_count > 1) {
            *next++ += loss;
            *next++ += rows;
        }
        for (int m = 0; m < o->metric_count; m++) {
            *next++ += sum(targets->metric + m * fm_room(pass, o->output), own) / rows_per_sample;
            *next++ += o->metrics[m].weighted && r->batches->sample_weight ? sum(targets->weight, own) / rows_per_sample : rows;
        }
    }
}

static void backward_and_update(const fm_run *r, const fm_pass *pass, const fm_step *step) {
    const fm_optimizer *optimizer = &r->network->optimizer;
    if (r->updating)
        fm_update_moving_statistics(pass);
    if (r->updating && !r->unfused) {
        fm_backward(pass, step);
    } else {
        const fm_step keep = {.update = NULL};
        if (r->network->accumulates) {
            const fm_range range = fm_partition(r->network->size, pass->worker);
            memset(r->network->gradient + range.begin, 0, (size_t)(range.end - range.begin) * sizeof(float));
            fm_team_barrier(pass->worker);
        }
        fm_backward(pass, &keep);
        if (r->updating || optimizer->has_penalties)
            fm_team_barrier(pass->worker);
        if (r->updating)
            fm_update_unfused(pass, step);
        else if (optimizer->has_penalties)
            fm_add_penalty_gradients(pass);
    }
    if (r->updating && optimizer->has_post_update) {
        fm_team_barrier(pass->worker);
        fm_post_update(pass, step);
    }
}

/* Builds the CSC for dW and replays the deferred updates of its weights; ends with a barrier. 0 if there is no memory. */
static int prepare_columns(fm_run *r, const fm_pass *pass) {
    if (!fm_build_csc(pass))
        atomic_store(&r->no_memory, 1);
    else if (r->deferred)
        fm_list_stale(pass);
    fm_team_barrier(pass->worker);
    if (atomic_load(&r->no_memory))
        return 0;
    if (r->deferred) {
        fm_flush_stale(pass);
        if (r->lends) /* other threads may flush deferred updates while the lock is lent: these columns are current already */
            fm_mark_current(pass, pass->network->deferred.steps);
    }
    return 1;
}

/* Computes all losses and metrics for this worker's rows. */
static void compute_losses(fm_run *r, const fm_pass *pass) {
    for (int t = 0; t < r->network->term_count && !atomic_load(&r->interrupted); t++) {
        const fm_outcome outcome = fm_compute_loss(pass, r->batches, t);
        if (outcome.non_finite)
            atomic_store(&r->non_finite, 1);
        if (outcome.interrupted)
            atomic_store(&r->interrupted, 1);
    }
}

/* Sets the learning rate of the next batch, if each has its own. */
static void set_batch_rate(const fm_run *r) {
    if (r->updating && r->batches->rates)
        FM_PUBLISH(r->network->state.learning_rate, r->batches->rates[r->batch]);
}

static void run_task(void *argument, fm_worker worker) {
    fm_run *r = argument;
    fm_network *network = r->network;
    fm_workspace *workspace = r->workspace;
    while (!r->ended) {
        if (r->deferred && network->deferred.steps == FM_MAX_DEFERRED_STEPS)
            fm_flush_worker(network, worker);
        const fm_pass pass = {
            .network = network,
            .workspace = workspace,
            .rows = rows_of(r->batches, r->batch),
            .input = workspace->value[0],
            .input_row = network->stride[0],
            .training = r->training,
            .only_needed = 1,
            .deferred = r->deferred,
            .sparse = r->sparse,
            .worker = worker,
        };
        fm_step step = fm_step_of(network);
        if (!fm_gather(&pass, r->batches, r->batch))
            atomic_store(&r->bad_row, 1);
        fm_team_barrier(worker);
        if (atomic_load(&r->bad_row))
            return;
        if (pass.sparse && r->training && !prepare_columns(r, &pass))
            return;
        fm_forward(&pass);
        compute_losses(r, &pass);
        if (r->batches->predictions)
            copy_predictions(r, &pass);
        if (network->optimizer.has_penalties)
            fm_sum_penalties(&pass);
        if (worker.id == 0) /* which ran the user-defined losses, during which updates may have been flushed */
            r->deferred_steps = network->deferred.steps;
        fm_team_barrier(worker);
        if (network->optimizer.has_penalties && worker.id == 0)
            r->penalty = fm_penalty(network);
        const int interrupted = atomic_load(&r->interrupted);
        if (r->training || interrupted) {
            const int failed = interrupted || atomic_load(&r->non_finite);
            if (r->deferred && r->sparse)
                fm_mark_current(&pass, failed ? r->deferred_steps : r->deferred_steps + 1);
            if (failed)
                return;
            step.deferred = r->deferred_steps;
            backward_and_update(r, &pass, &step);
        }
        if (worker.id == 0) {
            add_totals(r, &pass);
            if (r->deferred)
                fm_record_step(network, &step);
            if (r->updating) {
                const uint64_t iterations = network->state.iterations + 1;
                FM_PUBLISH(network->state.iterations, iterations);
                fm_begin_iteration(network);
            }
            r->batch++;
            r->ended = r->batch >= r->stop || fm_now() >= r->deadline;
            if (!r->ended)
                set_batch_rate(r);
        }
        fm_team_barrier(worker);
    }
}

void fm_run_until(fm_run *r, int threads, int many, int64_t stop, double deadline, fm_autotune *autotune) {
    const int64_t first = r->batch;
    const double begin = fm_now();
    if (first >= stop || atomic_load(&r->bad_row) || atomic_load(&r->no_memory) || atomic_load(&r->interrupted) ||
        (r->training && atomic_load(&r->non_finite)))
        return;
    r->stop = stop;
    r->deadline = deadline;
    r->ended = 0;
    set_batch_rate(r);
    fm_team_run(run_task, r, many ? threads : 1);
    if (r->batch > first)
        autotune->seconds_per_row[many] = (fm_now() - begin) / (double)((r->batch - first) * r->batches->batch_size);
}

/* Minibatches: gather rows, forward, loss, backward with the update in its tail, and again, many to a call. */
#include "engine/data/gather.h"
#include "engine/data/lists.h"
#include "engine/graph/link.h"
#include "engine/graph/terms.h"
#include "engine/ops/norm.h"
#include "engine/optim/deferred.h"
#include "engine/optim/update.h"
#include "engine/run/executor.h"
#include "engine/run/network.h"
#include "engine/run/objective.h"
#include "engine/run/workspace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A phase between two barriers must be worth a barrier: about 10 µs of work for each thread. */
#define FLOPS_PER_PHASE 4e5

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* -- the task ---------------------------------------------------------------------------------------------------------------------- */

fm_status fm_network_configure(fm_network *network, const fm_objective *objectives, int count, const fm_update_spec *update,
                               uint64_t *task) {
    if (count < 1 || update->kind < 0 || update->kind >= FM_OPTIMIZER_COUNT)
        return FM_STATUS_BAD_PLAN;
    for (int t = 0; t < count; t++)
        if (!fm_is_sound_objective(network, &objectives[t]))
            return FM_STATUS_BAD_PLAN;
    fm_loss_term *terms = fm_copy_terms(network, objectives, count);
    if (!terms)
        return FM_STATUS_NO_MEMORY;

    fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_CHANGE);
    if (status != FM_STATUS_OK) {
        free(terms);
        return status;
    }
    fm_settle(network);
    status = fm_link_objectives(network, terms, count) ? fm_new_update(network, update) : FM_STATUS_BAD_PLAN;
    if (status != FM_STATUS_OK) {
        if (network->configured)
            fm_link_objectives(network, network->terms, network->term_count);
        fm_lock_release(&network->lock, FM_ACCESS_CHANGE);
        free(terms);
        return status;
    }
    fm_forget_lazy(network); /* its tables are the old rule's */
    free(network->terms);
    for (int i = 0; i < 2; i++) { /* they have a row array for each metric */
        fm_workspace_free(network->batch[i]);
        network->batch[i] = NULL;
    }
    network->terms = terms;
    network->term_count = count;
    network->target_columns = terms[count - 1].column + terms[count - 1].columns;
    const uint64_t none = 0;
    FM_PUBLISH(network->state.iterations, none);
    network->configured = 1;
    *task = ++network->task;
    fm_lock_release(&network->lock, FM_ACCESS_CHANGE);
    return FM_STATUS_OK;
}

/* -- one batch --------------------------------------------------------------------------------------------------------------------- */

/* A call of train, evaluate or gradients, shared by its workers. Between two barriers only worker 0 writes what others read. */
typedef struct run {
    fm_network *network;
    const fm_batches *batches;
    fm_workspace *workspace;
    int64_t first, batch, stop;
    double deadline;
    double *totals;
    int training; /* dropout and gradients */
    int updating; /* parameters move */
    int apart;    /* gradients go through memory before the update */
    int sparse;   /* the input is listed without its zeros */
    int lazy;     /* rows of the first kernel put off steps while their input is zero */
    ptrdiff_t put_off; /* … of how many, before this one */
    int lends;         /* some loss is a function of the caller's */
    double penalty; /* of the weights before the update */
    atomic_int bad_row, non_finite, no_memory, interrupted;
    int ended;
} run;

static ptrdiff_t rows_of(const fm_batches *b, int64_t batch) {
    const int64_t left = b->rows - batch * b->batch_size;
    return (ptrdiff_t)(left < b->batch_size ? left : b->batch_size);
}

/* This worker's rows of what the losses compare with their targets, for metrics that the engine does not compute. */
static void hand_out(const run *r, const fm_pass *pass) {
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
static void account(const run *r, const fm_pass *pass) {
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

static void backward_and_update(const run *r, const fm_pass *pass, const fm_step *step) {
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
static int prepare_columns(run *r, const fm_pass *pass) {
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
static void measure(run *r, const fm_pass *pass) {
    for (int t = 0; t < r->network->term_count && !atomic_load(&r->interrupted); t++) {
        const fm_outcome outcome = fm_measure(pass, r->batches, t);
        if (outcome.non_finite)
            atomic_store(&r->non_finite, 1);
        if (outcome.interrupted)
            atomic_store(&r->interrupted, 1);
    }
}

/* The learning rate of the batch to come, where each has its own. */
static void take_rate(const run *r) {
    if (r->updating && r->batches->rates)
        FM_PUBLISH(r->network->state.learning_rate, r->batches->rates[r->batch]);
}

static void run_task(void *argument, fm_worker worker) {
    run *r = argument;
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
            r->ended = r->batch >= r->stop || now() >= r->deadline;
            if (!r->ended)
                take_rate(r);
        }
        fm_team_barrier(worker);
    }
}

#define PROBE_SECONDS 0.005
#define PROBE_SHARE 50 /* of the running time goes into probes, one part in so many; more of it while the choice is new */
#define EARLY_PROBE_SHARE 5

/* Runs batches on one thread or on many until the stop, the end of its time or a fault, and notes how fast that went. */
static void run_until(run *r, int threads, int many, int64_t stop, double deadline, fm_pace *pace) {
    const int64_t first = r->batch;
    const double begin = now();
    if (first >= stop || atomic_load(&r->bad_row) || atomic_load(&r->no_memory) || atomic_load(&r->interrupted) ||
        (r->training && atomic_load(&r->non_finite)))
        return;
    r->stop = stop;
    r->deadline = deadline;
    r->ended = 0;
    take_rate(r);
    fm_team_run(run_task, r, many ? threads : 1);
    if (r->batch > first)
        pace->seconds_per_row[many] = (now() - begin) / (double)((r->batch - first) * r->batches->batch_size);
}

/* Measures both ways, each twice, because anything may slow a moment down, and a thread just woken may still share this one's core. */
static void probe(run *r, int threads, int64_t stop, fm_pace *pace) {
    double best[2] = {INFINITY, INFINITY};
    for (int i = 0; i < 4; i++) {
        const int many = i % 2 == 0;
        run_until(r, threads, many, stop, now() + PROBE_SECONDS, pace);
        best[many] = fmin(best[many], pace->seconds_per_row[many]);
    }
    memcpy(pace->seconds_per_row, best, sizeof best);
}

/* Whether many threads beat one is not for the engine to know: cores may be two halves of one, or busy with something else. It tries both
 * for a few batches, keeps to the way that was faster when last seen, and tries both again now and then. The bits do not depend on it. */
static void run_at_best_pace(run *r, int threads, fm_pace *pace) {
    const int64_t stop = r->stop, start = r->batch;
    const double deadline = r->deadline, begin = now();
    if (pace->threads != threads)
        *pace = (fm_pace){.threads = threads}; /* what was measured was something else */
    if (threads > 1 && pace->until_probe <= 0.0) {
        probe(r, threads, stop, pace);
        pace->until_probe = (pace->probes < 2 ? EARLY_PROBE_SHARE : PROBE_SHARE) * (now() - begin);
        pace->probes++;
    }
    const double probed = now();
    if (r->batch == start || probed < deadline)
        run_until(r, threads, pace->seconds_per_row[1] <= pace->seconds_per_row[0], stop, deadline, pace);
    pace->until_probe -= now() - probed;
}

/* Threads worth waking for steps of this size. */
static int threads_for(const fm_network *network, const fm_batches *batches, int training) {
    const double rows = (double)(batches->rows < batches->batch_size ? batches->rows : batches->batch_size);
    const double flops = network->row_flops * rows * (training ? 3 : 1);
    const int phases = network->node_count * (training ? 3 : 1) + 2;
    const int worth = (int)fmin(flops / phases / FLOPS_PER_PHASE, FM_MAX_THREADS);
    const int allowed = fm_get_threads();
    return worth < 2 ? 1 : worth < allowed ? worth : allowed;
}

/* Memory for batches of this size and that many threads, kept until a larger one comes. An evaluation takes training's if that will do. */
static fm_status need_batch_memory(run *r, int threads) {
    const fm_batches *batches = r->batches;
    const ptrdiff_t rows = (ptrdiff_t)(batches->rows < batches->batch_size ? batches->rows : batches->batch_size);
    fm_workspace **own = &r->network->batch[r->training];
    for (int i = 1; i >= r->training; i--) {
        r->workspace = r->network->batch[i];
        if (r->workspace && r->workspace->rows >= rows && r->workspace->workers >= threads)
            return FM_STATUS_OK;
    }
    fm_workspace_free(*own);
    r->workspace = *own = fm_workspace_new(r->network, rows, r->training ? FM_ROOM_FOR_TRAINING : FM_ROOM_FOR_TARGETS, threads);
    return r->workspace ? FM_STATUS_OK : FM_STATUS_NO_MEMORY;
}

static int is_sparse_input(const fm_network *network, const fm_batches *batches) {
    if (!fm_may_skip(network) || (batches->rows > INT32_MAX && batches->batch_size > INT32_MAX))
        return 0;
    ptrdiff_t nonzeros, count;
    fm_sample_nonzeros(network, batches, &nonzeros, &count);
    return fm_is_sparse(network, nonzeros, count, batches->x_csr != NULL);
}

/* Memory for the batch's input as this run reads it. */
static fm_status need_input_memory(const run *r) {
    fm_network *network = r->network;
    fm_workspace *w = r->workspace;
    const fm_csr *csr = r->batches->x_csr;
    fm_status status = r->sparse && csr ? FM_STATUS_OK : fm_need_input(network, w);
    if (status == FM_STATUS_OK && r->sparse)
        status = fm_need_row_lists(network, w, !csr);
    if (status == FM_STATUS_OK && r->sparse && csr) {
        w->by_row.index = csr->column;
        w->by_row.value = csr->value;
    }
    if (status == FM_STATUS_OK && r->sparse && r->training)
        status = fm_need_column_lists(network, w);
    return status == FM_STATUS_OK && r->lazy ? fm_need_lazy(network) : status;
}

static fm_status run_locked(run *r, int64_t *next) {
    fm_network *network = r->network;
    const fm_batches *b = r->batches;
    if (b->rows < 1 || b->batch_size < 1 || *next < 0 || r->stop > (b->rows - 1) / b->batch_size + 1 || !(b->x || b->x_uint8 || b->x_csr) ||
        !(fm_reads_labels(network) ? b->labels != NULL : b->y != NULL) ||
        (b->sample_weight && b->weights != 1 && b->weights != network->term_count))
        return FM_STATUS_BAD_PLAN;
    if (*next >= r->stop)
        return FM_STATUS_OK;
    const int threads = threads_for(network, b, r->training);
    fm_status status = need_batch_memory(r, threads);
    r->sparse = is_sparse_input(network, b);
    r->lazy = r->sparse && r->updating && fm_may_put_off(network);
    for (int t = 0; t < network->term_count; t++)
        r->lends |= network->terms[t].objective.function != NULL;
    r->apart = network->state.unfused || network->accumulates || network->around.whole || (r->sparse && !r->lazy);
    if (status == FM_STATUS_OK && r->training && (!r->updating || r->apart))
        status = fm_need_gradient(network);
    if (status == FM_STATUS_OK)
        status = need_input_memory(r);
    if (status != FM_STATUS_OK)
        return status;
    if (!r->lazy)
        fm_settle(network);
    r->batch = r->first = *next;
    fm_follow_iterations(network);
    run_at_best_pace(r, threads, &network->pace[r->training]);
    *next = r->batch;
    if (atomic_load(&r->no_memory))
        return FM_STATUS_NO_MEMORY;
    if (atomic_load(&r->bad_row))
        return FM_STATUS_BAD_ROW;
    if (atomic_load(&r->interrupted))
        return FM_STATUS_INTERRUPTED;
    if (r->training && atomic_load(&r->non_finite))
        return FM_STATUS_NON_FINITE;
    /* What overflows shows in the next loss; after the last batch there is none. */
    const int is_end = r->updating && r->batch > (b->rows - 1) / b->batch_size;
    return is_end && fm_first_nonfinite(network->value, network->size) >= 0 ? FM_STATUS_NON_FINITE_WEIGHTS : FM_STATUS_OK;
}

/* Whether the caller's batches were made for what the network is configured for now: for its losses, metrics and targets. */
static fm_status check_task(const fm_network *network, const fm_batches *batches) {
    return !network->configured ? FM_STATUS_NOT_READY : batches->task != network->task ? FM_STATUS_STALE : FM_STATUS_OK;
}

static fm_status run_batches(run *r, int64_t *next, double seconds) {
    fm_network *network = r->network;
    r->deadline = now() + seconds;
    fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_CHANGE);
    if (status != FM_STATUS_OK)
        return status;
    network->caller_mode = fm_fpmode_now();
    status = check_task(network, r->batches);
    if (status == FM_STATUS_OK)
        status = run_locked(r, next);
    fm_lock_release(&network->lock, FM_ACCESS_CHANGE);
    return status;
}

fm_status fm_network_train(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals) {
    run r = {.network = network, .batches = batches, .stop = stop, .totals = totals, .training = 1, .updating = 1};
    return run_batches(&r, next, seconds);
}

fm_status fm_network_evaluate(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals) {
    run r = {.network = network, .batches = batches, .stop = stop, .totals = totals};
    return run_batches(&r, next, seconds);
}

/* The loss and the gradients of batch 0, while the lock is held. */
static fm_status gradients_locked(fm_network *network, const fm_batches *batches, double *loss, float *const *gradients) {
    size_t count = 1;
    for (int t = 0; t < network->term_count; t++)
        count += (size_t)network->terms[t].objective.metric_count + 1;
    double *totals = calloc(count * 2, sizeof *totals);
    if (!totals)
        return FM_STATUS_NO_MEMORY;
    run r = {.network = network, .batches = batches, .stop = 1, .totals = totals, .training = 1};
    int64_t next = 0;
    const fm_status status = run_locked(&r, &next);
    *loss = totals[1] > 0 ? totals[0] / totals[1] : 0.0;
    if (status == FM_STATUS_OK)
        fm_copy_gradients(network, gradients);
    free(totals);
    return status;
}

fm_status fm_network_gradients(fm_network *network, const fm_batches *batches, double *loss, float *const *gradients) {
    fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_CHANGE);
    if (status != FM_STATUS_OK)
        return status;
    status = check_task(network, batches);
    if (status == FM_STATUS_OK)
        status = gradients_locked(network, batches, loss, gradients);
    fm_lock_release(&network->lock, FM_ACCESS_CHANGE);
    return status;
}

/* The calls that train, evaluate and compute gradients: preparation before the first batch, status after the last. */
#include "engine/base/clock.h"
#include "engine/data/gather.h"
#include "engine/data/sparse.h"
#include "engine/graph/terms.h"
#include "engine/optim/deferred.h"
#include "engine/run/autotune.h"
#include "engine/run/network.h"
#include "engine/run/workspace.h"

#include <stdlib.h>

/* Memory for batches of this size and number of threads, kept until larger ones come. Evaluation uses that of training if it suffices. */
static fm_status ensure_batch_memory(fm_run *r, int threads) {
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
    if (!fm_may_skip(network, batches->x_csr != NULL) || (batches->rows > INT32_MAX && batches->batch_size > INT32_MAX))
        return 0;
    ptrdiff_t nonzeros, count;
    fm_sample_nonzeros(network, batches, &nonzeros, &count);
    return fm_is_sparse(network, nonzeros, count, batches->x_csr != NULL);
}

/* Memory for the input in the form that this run reads. */
static fm_status ensure_input_memory(const fm_run *r) {
    fm_network *network = r->network;
    fm_workspace *w = r->workspace;
    const fm_csr *csr = r->batches->x_csr;
    fm_status status = r->sparse && csr ? FM_STATUS_OK : fm_ensure_input(network, w);
    if (status == FM_STATUS_OK && r->sparse)
        status = fm_ensure_csr(network, w, !csr);
    if (status == FM_STATUS_OK && r->sparse && csr) {
        w->csr.index = csr->column;
        w->csr.value = csr->value;
    }
    if (status == FM_STATUS_OK && r->sparse && r->training)
        status = fm_ensure_csc(network, w);
    return status == FM_STATUS_OK && r->deferred ? fm_ensure_deferred(network) : status;
}

static fm_status run_locked(fm_run *r, int64_t *next) {
    fm_network *network = r->network;
    const fm_batches *b = r->batches;
    if (b->rows < 1 || b->batch_size < 1 || *next < 0 || r->stop > (b->rows - 1) / b->batch_size + 1 || !(b->x || b->x_uint8 || b->x_csr) ||
        !(fm_reads_labels(network) ? b->labels != NULL : b->y != NULL) ||
        (b->sample_weight && b->weights != 1 && b->weights != network->term_count))
        return FM_STATUS_BAD_PLAN;
    if (*next >= r->stop)
        return FM_STATUS_OK;
    const int threads = fm_threads_for(network, b, r->training);
    fm_status status = ensure_batch_memory(r, threads);
    r->sparse = is_sparse_input(network, b);
    r->deferred = r->updating && fm_may_defer(network) &&
                  (r->sparse ? network->first_dense->kernel_trainable
                             : fm_may_defer_tables(network, (ptrdiff_t)(b->rows < b->batch_size ? b->rows : b->batch_size)));
    for (int t = 0; t < network->term_count; t++)
        r->lends |= network->terms[t].objective.function != NULL;
    r->unfused = network->state.unfused || network->accumulates || network->optimizer.needs_full_gradient || (r->sparse && !r->deferred);
    if (status == FM_STATUS_OK && r->training && (!r->updating || r->unfused))
        status = fm_ensure_gradient(network);
    if (status == FM_STATUS_OK)
        status = ensure_input_memory(r);
    if (status != FM_STATUS_OK)
        return status;
    if (!r->deferred)
        fm_flush(network);
    r->batch = r->first = *next;
    fm_begin_iteration(network);
    fm_run_autotuned(r, threads, &network->autotune[r->training]);
    *next = r->batch;
    if (atomic_load(&r->no_memory))
        return FM_STATUS_NO_MEMORY;
    if (atomic_load(&r->bad_row))
        return FM_STATUS_BAD_ROW;
    if (atomic_load(&r->interrupted))
        return FM_STATUS_INTERRUPTED;
    if (r->training && atomic_load(&r->non_finite))
        return FM_STATUS_NON_FINITE;
    /* An overflow shows in the next loss, except after the last batch. */
    const int is_end = r->updating && r->batch > (b->rows - 1) / b->batch_size;
    return is_end && fm_first_nonfinite(network->value, network->size) >= 0 ? FM_STATUS_NON_FINITE_WEIGHTS : FM_STATUS_OK;
}

/* Whether the caller's batches were made for the current configuration. */
static fm_status check_task(const fm_network *network, const fm_batches *batches) {
    return !network->configured ? FM_STATUS_NOT_READY : batches->task != network->task ? FM_STATUS_STALE : FM_STATUS_OK;
}

static fm_status run_batches(fm_run *r, int64_t *next, double seconds) {
    fm_network *network = r->network;
    r->deadline = fm_now() + seconds;
    fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_WRITE);
    if (status != FM_STATUS_OK)
        return status;
    network->caller_mode = fm_fpmode_now();
    status = check_task(network, r->batches);
    if (status == FM_STATUS_OK)
        status = run_locked(r, next);
    fm_lock_release(&network->lock, FM_ACCESS_WRITE);
    return status;
}

fm_status fm_network_train(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals) {
    fm_run r = {.network = network, .batches = batches, .stop = stop, .totals = totals, .training = 1, .updating = 1};
    return run_batches(&r, next, seconds);
}

fm_status fm_network_evaluate(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals) {
    fm_run r = {.network = network, .batches = batches, .stop = stop, .totals = totals};
    return run_batches(&r, next, seconds);
}

/* Loss and gradients of batch 0; the lock is held. */
static fm_status gradients_locked(fm_network *network, const fm_batches *batches, double *loss, float *const *gradients) {
    size_t count = 1;
    for (int t = 0; t < network->term_count; t++)
        count += (size_t)network->terms[t].objective.metric_count + 1;
    double *totals = calloc(count * 2, sizeof *totals);
    if (!totals)
        return FM_STATUS_NO_MEMORY;
    fm_run r = {.network = network, .batches = batches, .stop = 1, .totals = totals, .training = 1};
    int64_t next = 0;
    const fm_status status = run_locked(&r, &next);
    *loss = totals[1] > 0 ? totals[0] / totals[1] : 0.0;
    if (status == FM_STATUS_OK)
        fm_copy_gradients(network, gradients);
    free(totals);
    return status;
}

fm_status fm_network_gradients(fm_network *network, const fm_batches *batches, double *loss, float *const *gradients) {
    fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_WRITE);
    if (status != FM_STATUS_OK)
        return status;
    network->caller_mode = fm_fpmode_now();
    status = check_task(network, batches);
    if (status == FM_STATUS_OK)
        status = gradients_locked(network, batches, loss, gradients);
    fm_lock_release(&network->lock, FM_ACCESS_WRITE);
    return status;
}

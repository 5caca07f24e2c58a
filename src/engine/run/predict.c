/* Predictions: many rows in blocks, which threads claim and take from the first layer to the last without waiting for each other; few rows all
 * at once, each layer split between the threads. */
#include "engine/data/gather.h"
#include "engine/data/sparse.h"
#include "engine/ops/norm.h"
#include "engine/optim/deferred.h"
#include "engine/run/executor.h"
#include "engine/run/split.h"
#include "engine/run/workspace.h"

#include <string.h>

#define BLOCK_BYTES (512 * 1024) /* of activations of a block: about the size of L2 */
#define MAX_BLOCK_ROWS 480 /* enough rows to amortize reading the weights from memory */
#define MAX_BLOCK_BYTES (64 << 20) /* … limited where rows are long */
#define KEPT_BYTES (16 << 20) /* larger workspaces are kept for one thread only */
#define STREAMED_FLOATS (4 << 20) /* an input of 16 MiB has left the caches before it is read */
#define MIN_SECONDS 4e-6 /* a shorter prediction is over before another thread could help */
#define MIN_ROWS_PER_THREAD 8 /* fewer are too few for the micro-kernel to reuse the weights it loads: layers are split instead */
#define MAX_SPLIT_ROWS 64 /* more rows outweigh reading all weights, even from L3 */
#define L2_WEIGHT_BYTES (1 << 20) /* weights that a core reads from its L2 again and again */

static ptrdiff_t block_rows(const fm_network *network) {
    ptrdiff_t row_bytes = 0;
    for (int b = 0; b < network->buffer_count; b++)
        row_bytes += network->stride[b] * network->rows_per_sample[b] * (ptrdiff_t)sizeof(float);
    ptrdiff_t rows = BLOCK_BYTES / row_bytes / FM_MIN_MC * FM_MIN_MC;
    rows = rows < FM_MC ? FM_MC : rows > MAX_BLOCK_ROWS ? MAX_BLOCK_ROWS : rows;
    const ptrdiff_t max_rows = MAX_BLOCK_BYTES / row_bytes / FM_PANEL * FM_PANEL;
    return rows < max_rows ? rows : max_rows < FM_PANEL ? FM_PANEL : max_rows;
}

/* The workspace of a spare slot, for `rows` rows or a block: created when first needed, and grown when more rows come. */
static fm_workspace *grow_spare(fm_network *network, ptrdiff_t rows, int slot) {
    const ptrdiff_t block = block_rows(network);
    fm_workspace *old = network->spare[slot];
    ptrdiff_t wanted = old ? old->rows : 1;
    if (old && old->rows >= block)
        return old;
    while (wanted < rows && wanted < block)
        wanted *= 2;
    fm_workspace_free(old);
    return network->spare[slot] = fm_workspace_new(network, wanted < block ? wanted : block, 0, 0);
}

/* A workspace for this thread alone: a spare one of the network or, if all are taken, a new one, for up to `rows` rows. */
static fm_workspace *borrow_workspace(fm_network *network, ptrdiff_t rows, int *slot) {
    for (*slot = 0; *slot < FM_SPARE_WORKSPACES; ++*slot) {
        int free_before = 0;
        if (!atomic_compare_exchange_strong(&network->spare_taken[*slot], &free_before, 1))
            continue;
        fm_workspace *spare = network->spare[*slot];
        if (!spare || spare->rows < rows)
            spare = grow_spare(network, rows, *slot);
        if (!spare)
            atomic_store(&network->spare_taken[*slot], 0);
        return spare;
    }
    const ptrdiff_t block = block_rows(network);
    return fm_workspace_new(network, rows < block ? rows : block, 0, 0);
}

static void return_workspace(fm_network *network, fm_workspace *workspace, int slot) {
    const int spare = slot < FM_SPARE_WORKSPACES;
    if (slot > 0 && (!spare || workspace->bytes > KEPT_BYTES)) {
        if (spare)
            network->spare[slot] = NULL;
        fm_workspace_free(workspace);
    }
    if (spare)
        atomic_store(&network->spare_taken[slot], 0);
}

/* Compresses the rows of the input if the first one is sparse; 0 if it is not, or there is no memory. */
static int compress_rows(const fm_pass *pass, const float *x, ptrdiff_t x_row) {
    const fm_network *network = pass->network;
    if (!fm_may_skip(network, 0))
        return 0;
    ptrdiff_t nonzeros = 0;
    for (ptrdiff_t c = 0; c < network->width[0]; c++)
        nonzeros += x[c] != 0.0f;
    if (!fm_is_sparse(network, nonzeros, network->width[0], 0) || fm_ensure_csr(network, pass->workspace, 1) != FM_STATUS_OK)
        return 0;
    for (ptrdiff_t r = 0; r < pass->rows; r++)
        fm_compress_row(network, pass->workspace, r, x + r * x_row);
    return 1;
}

/* Sets a CSR input: referenced in place, or expanded if it is too dense. */
static fm_status set_csr_input(fm_pass *pass, const fm_csr *x, ptrdiff_t first) {
    const fm_network *network = pass->network;
    fm_workspace *w = pass->workspace;
    const ptrdiff_t count = pass->rows * network->width[0];
    pass->sparse = fm_may_skip(network, 1) && fm_is_sparse(network, (ptrdiff_t)(x->begin[first + pass->rows] - x->begin[first]), count, 1);
    const fm_status status = pass->sparse ? fm_ensure_csr(network, w, 0) : fm_ensure_input(network, w);
    if (status != FM_STATUS_OK)
        return status;
    if (pass->sparse) {
        w->csr.index = x->column;
        w->csr.value = x->value;
    }
    pass->input = w->value[0];
    pass->input_row = network->stride[0];
    for (ptrdiff_t r = 0; r < pass->rows; r++)
        if (!fm_load_csr_row(pass, x, first + r, r))
            return FM_STATUS_BAD_ROW;
    return FM_STATUS_OK;
}

/* Sets the input of a pass: in place if the first node can read it there, else copied to padded rows; or compressed. */
static fm_status set_input(fm_pass *pass, const fm_input *input, ptrdiff_t first) {
    fm_network *network = pass->network;
    const ptrdiff_t width = network->width[0], stride = network->stride[0];
    if (input->x_csr)
        return set_csr_input(pass, input->x_csr, first);
    /* A stride of a large power of two maps rows to the same few cache sets, so many such rows are copied. */
    const int may_lie_there = stride == FM_ROUND_UP(width) || pass->rows <= FM_PANEL;
    if (input->x && network->first_dense == network->nodes && may_lie_there) {
        pass->input = input->x + first * width;
        pass->input_row = width;
        pass->streams_input = pass->rows > FM_PANEL && (double)input->rows * (double)width > STREAMED_FLOATS;
    } else {
        if (fm_ensure_input(network, pass->workspace) != FM_STATUS_OK)
            return FM_STATUS_NO_MEMORY;
        float *rows = pass->workspace->value[0];
        for (ptrdiff_t r = 0; r < pass->rows; r++) {
            const ptrdiff_t at = (first + r) * width;
            if (input->x) {
                memcpy(rows + r * stride, input->x + at, (size_t)width * sizeof *rows);
            } else {
                const fm_from_uint8 convert = {width, input->x_uint8 + at, rows + r * stride};
                network->kernels->from_uint8(&convert);
            }
        }
        pass->input = rows;
        pass->input_row = stride;
    }
    pass->sparse = compress_rows(pass, pass->input, pass->input_row);
    return FM_STATUS_OK;
}

/* Predicts the rows from `first` on; with more than one thread each layer is split between them. */
static fm_status predict_block(fm_pass *pass, const fm_input *input, ptrdiff_t first, int threads, float *out) {
    const fm_network *network = pass->network;
    const ptrdiff_t width = network->width[network->output], stride = network->stride[network->output];
    const fm_status status = set_input(pass, input, first);
    if (status != FM_STATUS_OK)
        return status;
    if (threads > 1)
        fm_forward_split(pass, threads);
    else
        fm_forward(pass);
    const float *rows = pass->workspace->value[network->output];
    for (ptrdiff_t r = 0; r < pass->rows; r++)
        memcpy(out + (first + r) * width, rows + r * stride, (size_t)width * sizeof *out);
    return FM_STATUS_OK;
}

typedef struct prediction {
    fm_network *network;
    const fm_input *input;
    float *out;
    int training, as_called; /* as in fm_pass */
    uint64_t draw;
    int needs_all_rows; /* some node computes across all rows */
    ptrdiff_t block; /* rows that a thread claims at once */
    atomic_ptrdiff_t next_row; /* the first that is not claimed */
    atomic_int status; /* the last error of any thread */
} prediction;

/* A workspace for up to `rows` rows. Noise needs more memory, which is not kept. */
static fm_workspace *workspace_for(const prediction *p, ptrdiff_t rows, int *slot) {
    if (!p->training && !p->as_called)
        return borrow_workspace(p->network, rows, slot);
    const ptrdiff_t block = block_rows(p->network);
    *slot = FM_SPARE_WORKSPACES;
    return fm_workspace_new(p->network, p->needs_all_rows || rows < block ? rows : block, FM_ROOM_FOR_NOISE, 0);
}

static fm_pass pass_of(const prediction *p, fm_workspace *workspace, ptrdiff_t row, ptrdiff_t rows) {
    return (fm_pass){
        .network = p->network,
        .workspace = workspace,
        .rows = rows,
        .training = p->training,
        .as_called = p->as_called,
        .draw = p->draw,
        .first_row = row,
        .worker = {0, 1},
    };
}

/* Predicts rows, as many at once as the workspace has room for; with more than one thread, each layer is split between them. */
static fm_status predict_rows(const prediction *p, fm_workspace *workspace, fm_range rows, int threads) {
    fm_status status = FM_STATUS_OK;
    for (ptrdiff_t row = rows.begin; row < rows.end && status == FM_STATUS_OK; row += workspace->rows) {
        fm_pass pass = pass_of(p, workspace, row, rows.end - row < workspace->rows ? rows.end - row : workspace->rows);
        status = predict_block(&pass, p->input, row, threads, p->out);
    }
    return status;
}

/* All rows on this thread or, with more than one thread, each layer split between the threads. */
static fm_status predict_here(const prediction *p, int threads) {
    const ptrdiff_t rows = (ptrdiff_t)p->input->rows;
    int slot;
    fm_workspace *workspace = workspace_for(p, rows, &slot);
    if (!workspace)
        return FM_STATUS_NO_MEMORY;
    const fm_fpmode mode = fm_fpmode_enter();
    const fm_status status = predict_rows(p, workspace, (fm_range){0, rows}, threads);
    fm_fpmode_leave(mode);
    return_workspace(p->network, workspace, slot);
    return status;
}

/* Claims blocks of rows until none is left, and takes each from the first layer to the last. */
static void predict_task(void *argument, fm_worker worker) {
    (void)worker;
    prediction *p = argument;
    const ptrdiff_t rows = (ptrdiff_t)p->input->rows;
    ptrdiff_t row = atomic_fetch_add(&p->next_row, p->block);
    if (row >= rows)
        return;
    int slot;
    fm_workspace *workspace = workspace_for(p, p->block, &slot);
    fm_status status = workspace ? FM_STATUS_OK : FM_STATUS_NO_MEMORY;
    for (; row < rows && status == FM_STATUS_OK; row = atomic_fetch_add(&p->next_row, p->block))
        status = predict_rows(p, workspace, (fm_range){row, row + p->block < rows ? row + p->block : rows}, 1);
    if (status != FM_STATUS_OK)
        atomic_store(&p->status, status);
    if (workspace)
        return_workspace(p->network, workspace, slot);
}

/* Rows of a block, so that all threads get the same number of blocks. */
static ptrdiff_t claimed_rows(ptrdiff_t rows, ptrdiff_t max_rows, int threads) {
    const ptrdiff_t rounds = (rows + max_rows * threads - 1) / (max_rows * threads), blocks = rounds * threads;
    return (rows + blocks - 1) / blocks;
}

/* Whether threads split layers instead of rows: each then reads a part of the weights, and waits for the others after every layer. */
static int splits_layers(const fm_network *network, ptrdiff_t rows, int threads) {
    const double weight_bytes = network->row_flops / 2 * sizeof(float);
    return rows < MIN_ROWS_PER_THREAD * threads || (rows <= MAX_SPLIT_ROWS && weight_bytes > L2_WEIGHT_BYTES);
}

static fm_status run_prediction(prediction *p) {
    const ptrdiff_t rows = (ptrdiff_t)p->input->rows;
    if (rows == 0)
        return FM_STATUS_OK;
    const double seconds = fm_forward_seconds(p->network, rows);
    const int threads = seconds < MIN_SECONDS || p->needs_all_rows ? 1 : fm_get_threads();
    if (threads == 1)
        return predict_here(p, 1);
    const ptrdiff_t max_rows = block_rows(p->network);
    if (rows <= max_rows && splits_layers(p->network, rows, threads))
        return predict_here(p, threads);
    p->block = claimed_rows(rows, max_rows, threads);
    const ptrdiff_t blocks = (rows + p->block - 1) / p->block;
    fm_team_share(predict_task, p, blocks < threads ? (int)blocks : threads, seconds);
    return (fm_status)atomic_load(&p->status);
}

static fm_status predict_locked(fm_network *network, const fm_input *input, float *out) {
    prediction p = {.network = network, .input = input, .out = out, .status = FM_STATUS_OK};
    return run_prediction(&p);
}

/* Acquires the lock for a prediction with all updates flushed. */
static fm_status lock_flushed(fm_network *network, fm_status (*take)(fm_lock *, fm_access)) {
    for (;;) {
        fm_status status = take(&network->lock, FM_ACCESS_SHARED);
        if (status != FM_STATUS_OK || !network->deferred.steps)
            return status;
        fm_lock_release(&network->lock, FM_ACCESS_SHARED);
        status = take(&network->lock, FM_ACCESS_FLUSH);
        if (status != FM_STATUS_OK)
            return status;
        fm_flush(network);
        fm_lock_release(&network->lock, FM_ACCESS_FLUSH);
    }
}

fm_status fm_network_predict(fm_network *network, const fm_input *input, float *out) {
    fm_status status = lock_flushed(network, fm_lock_acquire);
    if (status != FM_STATUS_OK)
        return status;
    status = predict_locked(network, input, out);
    fm_lock_release(&network->lock, FM_ACCESS_SHARED);
    return status;
}

fm_status fm_network_try_predict(fm_network *network, const fm_input *input, float *out) {
    fm_status status = lock_flushed(network, fm_lock_try);
    if (status != FM_STATUS_OK)
        return status;
    status = predict_locked(network, input, out);
    fm_lock_release(&network->lock, FM_ACCESS_SHARED);
    return status;
}

fm_status fm_network_apply(fm_network *network, const fm_input *input, fm_phase phase, uint64_t draw, float *out) {
    fm_status status = lock_flushed(network, fm_lock_acquire);
    if (status != FM_STATUS_OK)
        return status;
    prediction p = {
        .network = network,
        .input = input,
        .out = out,
        .training = phase == FM_PHASE_TRAINING,
        .as_called = phase == FM_PHASE_CALLED,
        .draw = draw,
        .status = FM_STATUS_OK,
    };
    const fm_pass pass = {.network = network, .training = p.training, .as_called = p.as_called};
    for (int i = 0; i < network->node_count; i++)
        p.needs_all_rows |= fm_uses_batch_moments(&pass, &network->nodes[i]);
    status = run_prediction(&p);
    fm_lock_release(&network->lock, FM_ACCESS_SHARED);
    return status;
}

/* The sparse forms of a batch: CSR and CSC.
 *
 * CSR comes from the user, or from compressing dense rows while they are gathered. For dW, each worker converts its shard of the columns
 * to CSC, non-empty columns only, so that time and memory follow the number of non-zeros.
 */
#include "engine/data/sparse.h"
#include "engine/base/arena.h"

#include <math.h>
#include <stdlib.h>

#define MIN_INPUTS 64    /* below this, compressing costs more than it saves */
#define SAMPLE_ENTRIES 128 /* entries sampled to balance columns among workers */

/* The density below which skipping zeros pays, by units of the layer: in a wide layer one non-zero costs 2.5 times as much as in a dense
 * micro-kernel, and its place in the CSR as much as a few dozen units. Fitted to benchmarks/zero_skipping.py on Intel Sapphire Rapids:
 * docs/skipping-zeros.md. */
#define MAX_SHARE 0.4
#define LISTING_UNITS 40.0
#define FINDING_UNITS 24.0
#define MIN_SHARE 0.02

/* The factors of the rescaling before the first dense node; NULL if that is the first node. */
static const float *factors_of(const fm_network *network) {
    return network->first_dense == network->nodes ? NULL : network->value + network->nodes[0].kernel;
}

/* True if a zero of the input reaches the first dense node as zero. */
static int keeps_zeros(const fm_network *network) {
    const float *factor = factors_of(network);
    const ptrdiff_t offset = network->nodes[0].bias;
    int changes = 0;
    for (ptrdiff_t c = 0; c < network->width[0] && factor; c++)
        changes |= !isfinite(factor[c]) || (offset >= 0 && network->value[offset + c] != 0.0f);
    return !changes;
}

int fm_may_skip(const fm_network *network, int listed) {
    return network->first_dense && network->width[0] >= MIN_INPUTS && network->state.skip_below != 0.0 &&
           (listed ? network->first_dense == network->nodes : keeps_zeros(network));
}

double fm_sparse_threshold(const fm_network *network, int listed) {
    const double units = network->first_dense ? (double)network->first_dense->units : 0.0;
    if (listed)
        return MAX_SHARE * units / (units + LISTING_UNITS);
    return fmax(MIN_SHARE, MAX_SHARE * (units - FINDING_UNITS) / (units + FINDING_UNITS));
}

int fm_is_sparse(const fm_network *network, ptrdiff_t nonzeros, ptrdiff_t count, int listed) {
    const double set = network->state.skip_below;
    return (double)nonzeros < (set >= 0.0 ? set : fm_sparse_threshold(network, listed)) * (double)count;
}

/* -- lists by row ------------------------------------------------------------------------------------------------------------------ */

fm_status fm_ensure_csr(const fm_network *network, fm_workspace *w, int compressed) {
    if (!w->csr_memory) {
        fm_layout layout = {0, 0};
        fm_layout_add(&layout, w->rows, 2, sizeof(ptrdiff_t));
        w->csr_memory = fm_layout_allocate(&layout);
        if (!w->csr_memory)
            return FM_STATUS_NO_MEMORY;
        w->csr.begin = (ptrdiff_t *)w->csr_memory;
        w->csr.end = w->csr.begin + w->rows;
    }
    if (compressed && !w->compressed_memory) {
        fm_layout layout = {0, 0};
        const size_t index = fm_layout_add(&layout, w->rows, network->width[0], sizeof(int32_t));
        const size_t value = fm_layout_add(&layout, w->rows, network->width[0], sizeof(float));
        /* Large enough for rows without zeros, but not cleared: pages that are never written take no memory. */
        w->compressed_memory = layout.overflow ? NULL : aligned_alloc(FM_ALIGNMENT, layout.bytes);
        if (!w->compressed_memory)
            return FM_STATUS_NO_MEMORY;
        w->compressed_index = (int32_t *)(w->compressed_memory + index);
        w->compressed_value = (float *)(w->compressed_memory + value);
    }
    if (compressed) {
        w->csr.index = w->compressed_index;
        w->csr.value = w->compressed_value;
    }
    return FM_STATUS_OK;
}

void fm_compress_row(const fm_network *network, fm_workspace *w, ptrdiff_t row, const float *x) {
    const ptrdiff_t begin = row * network->width[0];
    ptrdiff_t count;
    const fm_compress compress = {
        .n = network->width[0],
        .x = x,
        .index = w->compressed_index + begin,
        .value = w->compressed_value + begin,
        .count = &count,
    };
    network->kernels->compress(&compress);
    w->csr.begin[row] = begin;
    w->csr.end[row] = begin + count;
    const float *factor = factors_of(network);
    for (ptrdiff_t e = begin; factor && e < begin + count; e++)
        w->compressed_value[e] *= factor[w->compressed_index[e]];
}

/* -- lists by column --------------------------------------------------------------------------------------------------------------- */

fm_status fm_ensure_csc(const fm_network *network, fm_workspace *w) {
    if (w->csc)
        return FM_STATUS_OK;
    fm_layout layout = {0, 0};
    const size_t columns = fm_layout_add(&layout, w->workers, 1, sizeof(fm_csc));
    const size_t place = fm_layout_add(&layout, network->width[0], 1, sizeof(int32_t));
    const size_t parts = fm_layout_add(&layout, w->workers, w->rows, 2 * sizeof(ptrdiff_t));
    char *memory = fm_layout_allocate(&layout);
    if (!memory)
        return FM_STATUS_NO_MEMORY;
    w->csc = (fm_csc *)(memory + columns);
    w->place = (int32_t *)(memory + place);
    for (int i = 0; i < w->workers; i++) {
        w->csc[i].from = (ptrdiff_t *)(memory + parts) + 2 * i * w->rows;
        w->csc[i].to = w->csc[i].from + w->rows;
    }
    return FM_STATUS_OK;
}

void fm_free_sparse(fm_workspace *w) {
    for (int i = 0; w->csc && i < w->workers; i++)
        free(w->csc[i].memory);
    free(w->csc);
    free(w->compressed_memory);
    free(w->csr_memory);
}

/* Memory for the columns and entries of a batch, with some in reserve, because the next batch may have more. */
static int ensure_room(fm_csc *own, ptrdiff_t columns, ptrdiff_t entries) {
    if (own->memory && own->column_room >= columns && own->entry_room >= entries)
        return 1;
    fm_layout layout = {0, 0};
    columns += columns / 4;
    entries += entries / 4;
    const size_t column = fm_layout_add(&layout, columns, 2, sizeof(int32_t));
    const size_t begin = fm_layout_add(&layout, columns, 2, sizeof(ptrdiff_t));
    const size_t index = fm_layout_add(&layout, entries, 1, sizeof(int32_t));
    const size_t value = fm_layout_add(&layout, entries, 1, sizeof(float));
    free(own->memory);
    own->memory = fm_layout_allocate(&layout);
    if (!own->memory)
        return 0;
    own->column_room = columns;
    own->entry_room = entries;
    own->column = (int32_t *)(own->memory + column);
    own->stale_column = own->column + columns;
    own->begin = (ptrdiff_t *)(own->memory + begin);
    own->end = own->begin + columns;
    own->index = (int32_t *)(own->memory + index);
    own->value = (float *)(own->memory + value);
    return 1;
}

/* Position of the first entry of a row at or after a column. */
static ptrdiff_t find_column(const fm_csr_rows *rows, ptrdiff_t row, ptrdiff_t column) {
    ptrdiff_t low = rows->begin[row], high = rows->end[row];
    while (low < high) {
        const ptrdiff_t middle = low + (high - low) / 2;
        if (rows->index[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int compare_columns(const void *a, const void *b) {
    const int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

/* This worker's range of columns, balanced by a sample of the entries, because columns such as words differ in frequency. All workers
 * take the same sample. */
static fm_range shard_columns(const fm_pass *pass) {
    const fm_csr_rows *rows = &pass->workspace->csr;
    const fm_worker worker = pass->worker;
    fm_range range = {0, pass->network->width[0]};
    int32_t sample[SAMPLE_ENTRIES];
    size_t count = 0;
    if (worker.count == 1)
        return range;
    for (ptrdiff_t i = 0; i < SAMPLE_ENTRIES; i++) {
        const ptrdiff_t row = i * pass->rows / SAMPLE_ENTRIES, length = rows->end[row] - rows->begin[row];
        if (length > 0)
            sample[count++] = rows->index[rows->begin[row] + i * 41 % length]; /* 41: any stride that samples all parts of a row */
    }
    if (count == 0)
        return fm_partition(range.end, worker);
    qsort(sample, count, sizeof *sample, compare_columns);
    if (worker.id > 0)
        range.begin = sample[count * (size_t)worker.id / (size_t)worker.count];
    if (worker.id + 1 < worker.count)
        range.end = sample[count * (size_t)(worker.id + 1) / (size_t)worker.count];
    return range;
}

/* Finds this worker's entries in each row; returns their number. */
static ptrdiff_t slice_rows(const fm_pass *pass, const fm_csc *own) {
    const fm_csr_rows *rows = &pass->workspace->csr;
    ptrdiff_t entries = 0;
    for (ptrdiff_t r = 0; r < pass->rows; r++) {
        own->from[r] = own->range.begin > 0 ? find_column(rows, r, own->range.begin) : rows->begin[r];
        own->to[r] = own->range.end < pass->network->width[0] ? find_column(rows, r, own->range.end) : rows->end[r];
        entries += own->to[r] - own->from[r];
    }
    return entries;
}

/* Counts the entries of each column in `place` and lists the non-empty columns; in order if that takes no longer than visiting the
 * entries. */
static void count_columns(const fm_pass *pass, fm_csc *own, ptrdiff_t entries) {
    const int32_t *const index = pass->workspace->csr.index;
    int32_t *const place = pass->workspace->place, *const column = own->column;
    const int in_order = own->range.end - own->range.begin <= 4 * entries;
    ptrdiff_t count = 0;
    for (ptrdiff_t r = 0; r < pass->rows; r++) {
        const ptrdiff_t end = own->to[r];
        ptrdiff_t e = own->from[r];
        for (; in_order && e < end; e++)
            place[index[e]]++;
        for (; e < end; e++)
            if (place[index[e]]++ == 0)
                column[count++] = index[e];
    }
    for (ptrdiff_t c = own->range.begin; in_order && c < own->range.end; c++) {
        column[count] = (int32_t)c;
        count += place[c] > 0;
    }
    own->count = count;
}

/* Copies each entry to its column; `place` is the next position of each column. */
static void scatter_entries(const fm_pass *pass, const fm_csc *own) {
    const int32_t *const row_index = pass->workspace->csr.index;
    const float *const row_value = pass->workspace->csr.value;
    int32_t *const place = pass->workspace->place, *const index = own->index;
    float *const value = own->value;
    for (ptrdiff_t r = 0; r < pass->rows; r++) {
        const ptrdiff_t end = own->to[r];
        for (ptrdiff_t e = own->from[r]; e < end; e++) {
            const int32_t to = place[row_index[e]]++;
            index[to] = (int32_t)r;
            value[to] = row_value[e];
        }
    }
}

int fm_build_csc(const fm_pass *pass) {
    fm_csc *own = &pass->workspace->csc[pass->worker.id];
    int32_t *const place = pass->workspace->place;
    own->range = shard_columns(pass);
    own->count = own->stale = 0;
    const ptrdiff_t entries = slice_rows(pass, own), width = own->range.end - own->range.begin;
    /* One column more, because count_columns writes one past the end. Positions have 32 bits. */
    if (entries > INT32_MAX || !ensure_room(own, (entries < width ? entries : width) + 1, entries))
        return 0;
    count_columns(pass, own, entries);
    int32_t begin = 0;
    for (ptrdiff_t i = 0; i < own->count; i++) {
        const int32_t count = place[own->column[i]];
        place[own->column[i]] = begin;
        own->begin[i] = begin;
        own->end[i] = begin += count;
    }
    scatter_entries(pass, own);
    for (ptrdiff_t i = 0; i < own->count; i++)
        place[own->column[i]] = 0;
    return 1;
}

fm_column_shard fm_shard_columns(const fm_pass *pass, const fm_node *node) {
    const fm_worker worker = pass->worker;
    const fm_output_shard shard = fm_partition_output(node->inputs, node->panels, worker);
    if (shard.panels.end - shard.panels.begin < node->panels)
        return (fm_column_shard){pass->workspace->csc, worker.count, shard.panels};
    return (fm_column_shard){pass->workspace->csc + worker.id, 1, shard.panels};
}

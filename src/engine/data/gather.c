/* Gathers the rows of a batch through the shuffle order, and validates them. */
#include "engine/data/gather.h"
#include "engine/data/sparse.h"
#include "engine/graph/terms.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define SCAN_BLOCK 4096
#define SCAN_CHUNK (16 * SCAN_BLOCK) /* claimed at once by a thread */
#define SCAN_FLOATS_PER_SECOND 2.5e9

/* Adding 1 to the exponent carries into the sign bit where all its bits are set: for infinities and NaN. */
static int64_t scan(const float *values, int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block += SCAN_BLOCK) {
        const int64_t block_end = block + SCAN_BLOCK < end ? block + SCAN_BLOCK : end;
        uint32_t carry = 0;
#pragma GCC unroll 4
        for (int64_t i = block; i < block_end; i++) {
            uint32_t bits;
            memcpy(&bits, values + i, sizeof bits);
            carry |= (bits & 0x7FFFFFFFu) + 0x00800000u;
        }
        for (int64_t i = block; carry >> 31 && i < block_end; i++)
            if (!(values[i] - values[i] == 0.0f))
                return i;
    }
    return -1;
}

typedef struct scanning {
    const float *values;
    int64_t n;
    _Atomic int64_t next, first; /* the first that is not claimed; the first found, or n */
} scanning;

static void scan_task(void *argument, fm_worker worker) {
    (void)worker;
    scanning *s = argument;
    for (int64_t begin; (begin = atomic_fetch_add(&s->next, SCAN_CHUNK)) < atomic_load(&s->first);) {
        const int64_t found = scan(s->values, begin, begin + SCAN_CHUNK < s->n ? begin + SCAN_CHUNK : s->n);
        int64_t first = atomic_load(&s->first);
        while (found >= 0 && found < first && !atomic_compare_exchange_weak(&s->first, &first, found))
            ;
    }
}

int64_t fm_first_nonfinite(const float *values, int64_t n) {
    if (n <= SCAN_CHUNK)
        return scan(values, 0, n);
    scanning s = {.values = values, .n = n, .first = n};
    fm_team_share(scan_task, &s, fm_get_threads(), (double)n / SCAN_FLOATS_PER_SECOND);
    return s.first < n ? s.first : -1;
}

static int validate_row(const fm_csr *x, int64_t row, int64_t inputs) {
    const int64_t begin = x->begin[row], end = x->begin[row + 1];
    if (begin < 0 || begin > end || end > x->entries)
        return 0;
    if (begin == end)
        return 1;
    int wrong = (x->column[begin] < 0) | (x->column[end - 1] >= inputs);
    for (int64_t e = begin + 1; e < end; e++)
        wrong |= x->column[e] <= x->column[e - 1];
    return !wrong;
}

int64_t fm_first_bad_row(const fm_csr *x, int64_t rows, int64_t inputs) {
    for (int64_t row = 0; row < rows; row++)
        if (!validate_row(x, row, inputs))
            return row;
    return -1;
}

int fm_load_csr_row(const fm_pass *pass, const fm_csr *x, int64_t from, ptrdiff_t row) {
    const fm_workspace *w = pass->workspace;
    const ptrdiff_t inputs = pass->network->width[0], stride = pass->network->stride[0];
    if (!validate_row(x, from, inputs)) /* in every batch, because the arrays belong to the user and may have changed */
        return 0;
    if (pass->sparse) {
        w->csr.begin[row] = (ptrdiff_t)x->begin[from];
        w->csr.end[row] = (ptrdiff_t)x->begin[from + 1];
        return 1;
    }
    float *out = w->value[0] + row * stride;
    memset(out, 0, (size_t)inputs * sizeof *out);
    for (int64_t e = x->begin[from]; e < x->begin[from + 1]; e++)
        out[x->column[e]] = x->value[e];
    return 1;
}

static inline int64_t source_of(const fm_batches *b, int64_t batch, ptrdiff_t row) {
    const int64_t at = batch * b->batch_size + row;
    return b->order ? b->order[at] : at;
}

#define SHORT_ROW 64 /* floats for which a call of memcpy takes longer than the copy */

static inline void copy_row(float *to, const float *from, ptrdiff_t n) {
    if (n > SHORT_ROW) {
        memcpy(to, from, (size_t)n * sizeof *to);
        return;
    }
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4)
        memcpy(to + i, from + i, 4 * sizeof *to);
    for (; i < n; i++)
        to[i] = from[i];
}

/* A label of term `o`, from y or an integer, to *to; 0 if it is out of range. */
static inline int load_label(const fm_objective *o, ptrdiff_t width, int is_pair, const float *y, int32_t label, int32_t *to) {
    const int ignored = o->ignores && (y ? *y == (float)o->ignored : label == o->ignored);
    const int any = ignored || is_pair;
    if (y && !ignored && !(any ? fabsf(*y) < 0x1p31f : *y >= 0.0f && *y < (float)width))
        return 0;
    *to = ignored ? o->ignored : y ? (int32_t)*y : label;
    return any || (*to >= 0 && *to < width);
}

/* Gathers targets and weights of a term for this worker's rows. 0 if a label is out of range. */
static int gather_term(const fm_pass *pass, const fm_batches *b, int64_t batch, fm_range rows, int t) {
    const fm_network *network = pass->network;
    const fm_loss_term *term = &network->terms[t];
    const fm_target_arrays *targets = &pass->workspace->targets[t];
    const fm_objective *o = &term->objective;
    const ptrdiff_t width = network->width[o->output], stride = term->y_row, rows_per_sample = network->rows_per_sample[o->output],
                    columns = term->columns / rows_per_sample;
    const int has_labels = fm_has_labels(o->loss), is_pair = fm_is_pair_loss(o->loss);
    for (ptrdiff_t row = rows.begin; row < rows.end; row++) {
        const int64_t from = source_of(b, batch, row);
        const float *y = b->labels ? NULL : b->y + from * network->target_columns + term->column;
        for (ptrdiff_t i = 0, to = row * rows_per_sample; i < rows_per_sample; i++, to++) {
            if (!has_labels)
                copy_row(targets->y + to * stride, y + i * columns, columns);
            else if (!load_label(o, width, is_pair, y ? y + i * columns : NULL, y ? 0 : b->labels[from * rows_per_sample + i],
                                 &targets->labels[to]))
                return 0;
            if (b->sample_weight)
                targets->weight[to] = b->sample_weight[from * b->weights + (b->weights > 1 ? t : 0)];
        }
    }
    return 1;
}

#define PREFETCH_ROWS 12    /* the row that is prefetched lies so many ahead: shuffled rows are anywhere in memory */
#define PREFETCH_FLOATS 128 /* of it; the hardware finds the rest of a long row */

/* Always inlined, because GCC 12 takes a function that does nothing but prefetch for one without effect, and drops its calls. */
static inline __attribute__((always_inline)) void prefetch(const float *first, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n && i < PREFETCH_FLOATS; i += FM_PANEL)
        __builtin_prefetch(first + i);
}

static inline __attribute__((always_inline)) void prefetch_row(const fm_network *network, const fm_batches *b, int64_t from) {
    if (from >= b->rows)
        return;
    if (b->x)
        prefetch(b->x + from * network->width[0], network->width[0]);
    if (!b->labels)
        prefetch(b->y + from * network->target_columns, network->target_columns);
}

int fm_gather(const fm_pass *pass, const fm_batches *b, int64_t batch) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const ptrdiff_t inputs = network->width[0], x_row = network->stride[0];
    const fm_range rows = fm_partition_rows(pass->rows, pass->worker);
    for (ptrdiff_t i = rows.begin; i < rows.end; i++) {
        const int64_t from = source_of(b, batch, i);
        if (from >= b->rows)
            return 0;
        if (b->order && i + PREFETCH_ROWS < rows.end)
            prefetch_row(network, b, source_of(b, batch, i + PREFETCH_ROWS));
        float *row = w->value[0] + i * x_row;
        if (b->x_csr) {
            if (!fm_load_csr_row(pass, b->x_csr, from, i))
                return 0;
            continue;
        }
        if (b->x_uint8) {
            const fm_from_uint8 convert = {inputs, b->x_uint8 + from * inputs, row};
            network->kernels->from_uint8(&convert);
        }
        if (pass->sparse)
            fm_compress_row(network, pass->workspace, i, b->x ? b->x + from * inputs : row);
        else if (b->x)
            copy_row(row, b->x + from * inputs, inputs);
    }
    for (int t = 0; t < network->term_count; t++)
        if (!gather_term(pass, b, batch, rows, t))
            return 0;
    return 1;
}

#define SAMPLE_ROWS 16

void fm_sample_nonzeros(const fm_network *network, const fm_batches *b, ptrdiff_t *nonzeros, ptrdiff_t *count) {
    const ptrdiff_t inputs = network->width[0];
    if (b->x_csr) {
        *nonzeros = (ptrdiff_t)(b->x_csr->begin[b->rows] - b->x_csr->begin[0]);
        *count = (ptrdiff_t)b->rows * inputs;
        return;
    }
    const int64_t rows = b->rows < SAMPLE_ROWS ? b->rows : SAMPLE_ROWS;
    *nonzeros = 0;
    *count = (ptrdiff_t)rows * inputs;
    for (int64_t i = 0; i < rows; i++) {
        const ptrdiff_t from = (ptrdiff_t)(b->rows / rows * i) * inputs;
        for (ptrdiff_t c = 0; c < inputs; c++)
            *nonzeros += b->x ? b->x[from + c] != 0.0f : b->x_uint8[from + c] != 0;
    }
}

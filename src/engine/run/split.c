/* Forward passes of a few rows, whose weights may exceed the cache of one core. The panels of each dense node are
 * claimed by the threads that are there, first by the one that had them in the last call, so that each keeps its part of the weights in its
 * own L2 cache. A thread that is late finds fewer panels left; nothing waits for one that does not come. */
#include "engine/run/split.h"
#include "engine/run/executor.h"
#include "engine/ops/gemm.h"
#include "engine/ops/ops.h"

#define MIN_CHUNK_PANELS 4 /* panels claimed at once: as many as the micro-kernel of one row takes, or twice as many */
#define MAX_CHUNK_PANELS 8
#define MIN_SPLIT_SECONDS 1e-6 /* a shorter node costs more to split than it saves */

/* The next chunk of one thread, together with its node, so that a late thread never mistakes a chunk of one node for that of another. */
typedef struct claims {
    _Alignas(64) _Atomic uint64_t next; /* node << 32 | chunk */
} claims;

typedef struct split {
    const fm_pass *pass;
    int threads;
    _Alignas(64) atomic_int node; /* being computed; node_count at the end */
    _Alignas(64) atomic_int done; /* chunks of it that are computed */
    claims claims[FM_MAX_THREADS];
} split;

static double node_seconds(const fm_node *node, ptrdiff_t rows) {
    const double weights = (double)node->inputs * (double)(node->panels * FM_PANEL);
    return weights * sizeof(float) / FM_BYTES_PER_SECOND + 2 * weights * (double)rows / FM_FLOPS_PER_SECOND;
}

static ptrdiff_t chunk_panels(const split *s, const fm_node *node) {
    const ptrdiff_t share = (node->panels + s->threads - 1) / s->threads;
    return share < MIN_CHUNK_PANELS ? MIN_CHUNK_PANELS : share > MAX_CHUNK_PANELS ? MAX_CHUNK_PANELS : share;
}

static int chunks_of(const split *s, const fm_node *node) {
    const ptrdiff_t panels = chunk_panels(s, node);
    return (int)((node->panels + panels - 1) / panels);
}

static int first_chunk(const split *s, const fm_node *node, int thread) { return (int)((int64_t)chunks_of(s, node) * thread / s->threads); }

static int is_split(const fm_pass *pass, const fm_node *node) {
    return node->spec.op == FM_OP_dense && !fm_reads_csr(pass, node) && node->panels > MIN_CHUNK_PANELS &&
           node_seconds(node, fm_rows(pass, node->spec.output)) >= MIN_SPLIT_SECONDS;
}

static void run_chunk(split *s, const fm_node *node, int chunk) {
    const ptrdiff_t panel = (ptrdiff_t)chunk * chunk_panels(s, node), end = panel + chunk_panels(s, node);
    const fm_output_shard shard = {.rows = {0, fm_rows(s->pass, node->spec.output)},
                                   .panels = {panel, end < node->panels ? end : node->panels}};
    fm_gemm_forward_shard(s->pass, node, shard);
    atomic_fetch_add(&s->done, 1);
}

/* Runs chunks until none is left: one's own first, then the others'. */
static void claim_chunks(split *s, int thread) {
    for (int i = 0; i < s->threads; i++) {
        const int owner = (thread + i) % s->threads;
        for (;;) {
            const uint64_t claim = atomic_fetch_add(&s->claims[owner].next, 1);
            const fm_node *node = &s->pass->network->nodes[claim >> 32];
            const int chunk = (int)(uint32_t)claim;
            if (chunk >= first_chunk(s, node, owner + 1))
                break;
            run_chunk(s, node, chunk);
        }
    }
}

static void run_split(split *s, const fm_node *node) {
    atomic_store(&s->done, 0);
    for (int t = 0; t < s->threads; t++)
        atomic_store(&s->claims[t].next, (uint64_t)node->index << 32 | (uint64_t)first_chunk(s, node, t));
    atomic_store(&s->node, node->index);
    claim_chunks(s, 0);
    for (int turn = 0; atomic_load(&s->done) < chunks_of(s, node); turn++)
        fm_team_spin(turn);
}

static void split_task(void *argument, fm_worker worker) {
    split *s = argument;
    const fm_network *network = s->pass->network;
    if (worker.id > 0) {
        int seen = -1, node;
        for (int turn = 0; (node = atomic_load(&s->node)) < network->node_count; turn++) {
            if (node != seen)
                claim_chunks(s, worker.id);
            seen = node;
            fm_team_spin(turn);
        }
        return;
    }
    s->threads = worker.count;
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (is_split(s->pass, node))
            run_split(s, node);
        else if (fm_runs_forward(s->pass, node))
            fm_ops[node->spec.op].forward(s->pass, node);
    }
    atomic_store(&s->node, network->node_count);
}

/* The largest number of threads for which any node has a chunk each: others are not woken. */
static int useful_threads(const fm_pass *pass, int threads) {
    ptrdiff_t useful = 1;
    for (int i = 0; i < pass->network->node_count; i++) {
        const fm_node *node = &pass->network->nodes[i];
        const ptrdiff_t chunks = is_split(pass, node) ? (node->panels + MIN_CHUNK_PANELS - 1) / MIN_CHUNK_PANELS : 1;
        useful = chunks > useful ? chunks : useful;
    }
    return useful < threads ? (int)useful : threads;
}

void fm_forward_split(const fm_pass *pass, int threads) {
    threads = useful_threads(pass, threads);
    if (threads == 1) {
        fm_forward(pass);
        return;
    }
    split s = {.pass = pass, .threads = threads, .node = -1};
    fm_team_share(split_task, &s, threads, fm_forward_seconds(pass->network, pass->rows));
}

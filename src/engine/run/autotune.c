/* Chooses the number of threads for batches by measuring. */
#include "engine/run/autotune.h"
#include "engine/base/clock.h"

#include <math.h>
#include <string.h>

/* A phase between two barriers must be worth a barrier: some microseconds of work per thread. Where it just is, measuring decides. */
#define FLOPS_PER_PHASE 2e5
#define OPERATIONS_OF_UPDATE 50 /* what the step of one weight costs, in flops that take as long */

#define PROBE_SECONDS 0.0005
#define PROBE_RUNS 4
#define PROBE_SHARE 50 /* one part in so many of the running time is spent on measuring; more while the choice is new */
#define EARLY_PROBE_SHARE 5
#define ALONE_PROBE_SHARE 15 /* while one thread is faster: perhaps threads of another library spin, which ends soon */
#define SURPRISE 1.25 /* batches that take so many times what they took before are measured again at once */

/* Measures one thread and many, each twice, because interruptions are common, and a thread just woken may still share a core with this
 * one. Ends with the call, whose time and batches may be too few, and continues in the next; 1 when all runs are done. */
static int probe(fm_run *r, int threads, int64_t stop, double deadline, fm_autotune *autotune) {
    if (autotune->runs == 0)
        autotune->best[0] = autotune->best[1] = INFINITY;
    for (double now = fm_now(); autotune->runs < PROBE_RUNS && r->batch < stop; autotune->runs++) {
        const int many = autotune->runs % 2 == 0;
        const double begin = now;
        if (begin >= deadline && r->batch > r->first)
            return 0;
        fm_run_until(r, threads, many, stop, fmin(begin + PROBE_SECONDS, deadline), autotune);
        autotune->best[many] = fmin(autotune->best[many], autotune->seconds_per_row[many]);
        now = fm_now();
        autotune->probe_seconds += now - begin;
    }
    return autotune->runs == PROBE_RUNS;
}

/* Adopts what was measured, until it is measured again. */
static void adopt(fm_autotune *autotune) {
    memcpy(autotune->seconds_per_row, autotune->best, sizeof autotune->best);
    const int is_alone = autotune->best[0] < autotune->best[1];
    const int share = autotune->probes < 2 ? EARLY_PROBE_SHARE : is_alone ? ALONE_PROBE_SHARE : PROBE_SHARE;
    autotune->until_probe = share * autotune->probe_seconds;
    autotune->probe_seconds = 0.0;
    autotune->runs = 0;
    autotune->probes++;
}

/* Whether many threads are faster than one cannot be computed: cores may be two hyperthreads of one, or busy. Measures both for a few
 * batches, uses the faster one, and measures again from time to time. The bits do not depend on it. */
void fm_run_autotuned(fm_run *r, int threads, fm_autotune *autotune) {
    const int64_t stop = r->stop, start = r->batch;
    const double deadline = r->deadline;
    if (autotune->threads != threads)
        *autotune = (fm_autotune){.threads = threads}; /* measured with another number of threads */
    if (threads > 1 && autotune->until_probe <= 0.0) {
        if (!probe(r, threads, stop, deadline, autotune))
            return;
        adopt(autotune);
    }
    const double probed = fm_now();
    if (r->batch > start && (r->batch >= stop || probed >= deadline))
        return;
    const int many = autotune->seconds_per_row[1] <= autotune->seconds_per_row[0];
    const double expected = autotune->seconds_per_row[many];
    fm_run_until(r, threads, many, stop, deadline, autotune);
    if (autotune->seconds_per_row[many] > SURPRISE * expected)
        autotune->until_probe = 0.0;
    else
        autotune->until_probe -= fm_now() - probed;
}

int fm_threads_for(const fm_network *network, const fm_batches *batches, int training) {
    const double rows = (double)(batches->rows < batches->batch_size ? batches->rows : batches->batch_size);
    const double work = training
                            ? rows * (3 * network->row_flops + 2 * network->row_operations) + OPERATIONS_OF_UPDATE * (double)network->size
                            : rows * (network->row_flops + network->row_operations);
    int nodes = 0;
    for (int i = 0; i < network->node_count; i++)
        nodes += !fm_is_fused_activation(&network->nodes[i]);
    const int phases = nodes * (training ? 3 : 1) + 2;
    const int worth = (int)fmin(work / phases / FLOPS_PER_PHASE, FM_MAX_THREADS);
    const int allowed = fm_get_threads();
    return worth < 2 ? 1 : worth < allowed ? worth : allowed;
}

/* Chooses the number of threads for batches by measuring. */
#include "engine/run/autotune.h"
#include "engine/base/clock.h"

#include <math.h>
#include <string.h>

/* A phase between two barriers must be worth a barrier: some microseconds of work per thread. Where it just is, measuring decides. */
#define FLOPS_PER_PHASE 2e5

#define PROBE_SECONDS 0.0005
#define PROBE_SHARE 50 /* one part in so many of the running time is spent on measuring; more while the choice is new */
#define EARLY_PROBE_SHARE 5
#define ALONE_PROBE_SHARE 15 /* while one thread is faster: perhaps threads of another library spin, which ends soon */
#define SURPRISE 1.25 /* batches that take so many times what they took before are measured again at once */

/* Measures one thread and many, each twice, because interruptions are common, and a thread just woken may still share a core with this
 * one. */
static void probe(fm_run *r, int threads, int64_t stop, fm_autotune *autotune) {
    double best[2] = {INFINITY, INFINITY};
    for (int i = 0; i < 4; i++) {
        const int many = i % 2 == 0;
        fm_run_until(r, threads, many, stop, fm_now() + PROBE_SECONDS, autotune);
        best[many] = fmin(best[many], autotune->seconds_per_row[many]);
    }
    memcpy(autotune->seconds_per_row, best, sizeof best);
}

/* Whether many threads are faster than one cannot be computed: cores may be two hyperthreads of one, or busy. Measures both for a few
 * batches, uses the faster one, and measures again from time to time. The bits do not depend on it. */
void fm_run_autotuned(fm_run *r, int threads, fm_autotune *autotune) {
    const int64_t stop = r->stop, start = r->batch;
    const double deadline = r->deadline, begin = fm_now();
    if (autotune->threads != threads)
        *autotune = (fm_autotune){.threads = threads}; /* measured with another number of threads */
    if (threads > 1 && autotune->until_probe <= 0.0) {
        probe(r, threads, stop, autotune);
        const int is_alone = autotune->seconds_per_row[0] < autotune->seconds_per_row[1];
        autotune->until_probe = (autotune->probes < 2 ? EARLY_PROBE_SHARE
                                 : is_alone           ? ALONE_PROBE_SHARE
                                                      : PROBE_SHARE) *
                                (fm_now() - begin);
        autotune->probes++;
    }
    const double probed = fm_now();
    const int many = autotune->seconds_per_row[1] <= autotune->seconds_per_row[0];
    const double expected = autotune->seconds_per_row[many];
    if (r->batch == start || probed < deadline)
        fm_run_until(r, threads, many, stop, deadline, autotune);
    if (autotune->seconds_per_row[many] > SURPRISE * expected)
        autotune->until_probe = 0.0;
    else
        autotune->until_probe -= fm_now() - probed;
}

int fm_threads_for(const fm_network *network, const fm_batches *batches, int training) {
    const double rows = (double)(batches->rows < batches->batch_size ? batches->rows : batches->batch_size);
    const double flops = network->row_flops * rows * (training ? 3 : 1);
    int nodes = 0;
    for (int i = 0; i < network->node_count; i++)
        nodes += !fm_is_fused_activation(&network->nodes[i]);
    const int phases = nodes * (training ? 3 : 1) + 2;
    const int worth = (int)fmin(flops / phases / FLOPS_PER_PHASE, FM_MAX_THREADS);
    const int allowed = fm_get_threads();
    return worth < 2 ? 1 : worth < allowed ? worth : allowed;
}

/* Chooses the number of threads for batches. */
#ifndef FASTMLP_RUN_AUTOTUNE_H
#define FASTMLP_RUN_AUTOTUNE_H

#include "engine/run/batches.h"

/* Maximum useful number of threads for steps of this size. */
int fm_threads_for(const fm_network *network, const fm_batches *batches, int training);

/* Runs batches until `stop` or the deadline, on one thread or many, whichever was faster when last measured. */
void fm_run_autotuned(fm_run *r, int threads, fm_autotune *autotune);

#endif

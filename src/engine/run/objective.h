/* Losses and metrics of a batch. */
#ifndef FASTMLP_RUN_OBJECTIVE_H
#define FASTMLP_RUN_OBJECTIVE_H

#include "engine/graph/pass.h"

/* Whether a loss is NaN or infinite, and whether a user-defined loss failed. */
typedef struct fm_outcome {
    int non_finite, interrupted;
} fm_outcome;

/* Computes one loss, its gradient in training, and its metrics, for this worker's rows. */
fm_outcome fm_compute_loss(const fm_pass *pass, const fm_batches *batches, int term);

#endif

/* The losses and metrics of a network: which make sense, and what they read. */
#ifndef FASTMLP_GRAPH_TERMS_H
#define FASTMLP_GRAPH_TERMS_H

#include "engine/graph/network.h"

int fm_validate_objective(const fm_network *network, const fm_objective *objective);

/* Copies of the objectives and, behind them, of their metrics; NULL if there is no memory. */
fm_loss_term *fm_copy_terms(const fm_network *network, const fm_objective *objectives, int count);

/* True for losses and accuracies whose targets are labels. */
int fm_has_labels(int loss);

/* True for losses that compare the rows of a batch: their labels may be any numbers, since they stand for no columns. */
int fm_is_pair_loss(int loss);

/* True if the targets are integers, not numbers: those of the only loss, which reads labels. */
int fm_reads_labels(const fm_network *network);

/* True if the loss or a metric smooths its targets, which takes room for a second copy. */
int fm_uses_smoothing(const fm_objective *objective);

/* Losses whose value for a row depends on other rows of the batch. */
int fm_is_batch_loss(int loss);

/* Losses that read unnormalised scores. */
int fm_is_from_logits(int loss);

/* The accuracy that a loss kernel reports beside the loss, or -1. */
int fm_accuracy_with_loss(int loss);

#endif

/* Losses and metrics of a network: which combinations are valid, and what they read. */
#ifndef FASTMLP_GRAPH_TERMS_H
#define FASTMLP_GRAPH_TERMS_H

#include "engine/graph/network.h"

int fm_validate_objective(const fm_network *network, const fm_objective *objective);

/* Copies of the objectives, followed by their metrics; NULL if there is no memory. */
fm_loss_term *fm_copy_terms(const fm_network *network, const fm_objective *objectives, int count);

/* True for losses and accuracies whose targets are integer labels. */
int fm_has_labels(int loss);

/* True for losses of pairs of rows. Their labels may be any integers, because they are not column numbers. */
int fm_is_pair_loss(int loss);

/* True if targets are integer labels alone: there is one loss, which reads labels. */
int fm_reads_labels(const fm_network *network);

/* True if the loss or a metric uses label smoothing, which needs memory for a second copy of the targets. */
int fm_uses_smoothing(const fm_objective *objective);

/* True for losses whose value for a row depends on other rows of the batch. */
int fm_is_batch_loss(int loss);

/* True for losses that read logits. */
int fm_is_from_logits(int loss);

/* The accuracy that a loss kernel computes along with the loss, or −1. */
int fm_accuracy_with_loss(int loss);

#endif

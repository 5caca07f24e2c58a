/* What parameters add to the loss. */
#ifndef FASTMLP_OPTIM_PENALTIES_H
#define FASTMLP_OPTIM_PENALTIES_H

#include "engine/graph/pass.h"

/* This worker's share of the sums that the penalties are made of; after a barrier, their value. */
void fm_sum_penalties(const fm_pass *pass);
double fm_penalty(const fm_network *network);

/* Adds the penalties' gradients to the gradient array. */
void fm_add_penalty_gradients(const fm_pass *pass);

#endif

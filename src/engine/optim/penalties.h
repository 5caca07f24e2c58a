/* Penalties of parameters. */
#ifndef FASTMLP_OPTIM_PENALTIES_H
#define FASTMLP_OPTIM_PENALTIES_H

#include "engine/graph/pass.h"

/* This worker's part of the sums that penalties consist of; after a barrier, the value of all penalties. */
void fm_sum_penalties(const fm_pass *pass);
double fm_penalty(const fm_network *network);

/* Adds the penalties' gradients to the gradient array. */
void fm_add_penalty_gradients(const fm_pass *pass);

#endif

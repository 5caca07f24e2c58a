/* What surrounds the optimizer's steps. */
#ifndef FASTMLP_OPTIM_UPDATE_H
#define FASTMLP_OPTIM_UPDATE_H

#include "engine/optim/step.h"

/* Makes slots and all else the network's update needs, or frees what there is. */
fm_status fm_new_update(fm_network *network, const fm_update_spec *update);
void fm_free_update(fm_network *network);

/* This worker's share of the sums that the penalties are made of; after a barrier, their value. */
void fm_sum_penalties(const fm_pass *pass);
double fm_penalty(const fm_network *network);

/* Adds the penalties' gradients to the gradient array. */
void fm_add_penalty_gradients(const fm_pass *pass);

/* The update as a pass of its own, over gradients that have been through memory. */
void fm_update_apart(const fm_pass *pass, const fm_step *step);

/* What follows an update: averages and constraints. */
void fm_follow_update(const fm_pass *pass, const fm_step *step);

#endif

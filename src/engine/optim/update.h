/* Unfused updates. */
#ifndef FASTMLP_OPTIM_UPDATE_H
#define FASTMLP_OPTIM_UPDATE_H

#include "engine/optim/step.h"

/* Adds the gradients of the penalties to those that are in memory, and applies the update. */
void fm_update_unfused(const fm_pass *pass, const fm_step *step);

/* Applies the update to gradients that are in memory, as they are. */
void fm_update_from_gradients(const fm_pass *pass, const fm_step *step);

#endif

/* Unfused updates. */
#ifndef FASTMLP_OPTIM_UPDATE_H
#define FASTMLP_OPTIM_UPDATE_H

#include "engine/optim/step.h"

/* Applies the update to gradients that are in memory. */
void fm_update_unfused(const fm_pass *pass, const fm_step *step);

#endif

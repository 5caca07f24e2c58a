/* Updates that need the whole gradient. */
#ifndef FASTMLP_OPTIM_UPDATE_H
#define FASTMLP_OPTIM_UPDATE_H

#include "engine/optim/step.h"

/* The update as a pass of its own, over gradients that have been through memory. */
void fm_update_unfused(const fm_pass *pass, const fm_step *step);

#endif

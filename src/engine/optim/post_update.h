/* What follows an update: EMA and constraints. */
#ifndef FASTMLP_OPTIM_POST_UPDATE_H
#define FASTMLP_OPTIM_POST_UPDATE_H

#include "engine/optim/step.h"

/* Updates the EMA and applies constraints. */
void fm_post_update(const fm_pass *pass, const fm_step *step);

#endif

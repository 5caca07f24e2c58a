/* What follows an update. */
#ifndef FASTMLP_OPTIM_POST_UPDATE_H
#define FASTMLP_OPTIM_POST_UPDATE_H

#include "engine/optim/step.h"

/* What follows an update: averages and constraints. */
void fm_post_update(const fm_pass *pass, const fm_step *step);

#endif

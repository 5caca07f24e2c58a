/* Steps of rules that look at all of a parameter at once. */
#ifndef FASTMLP_OPTIM_WHOLE_H
#define FASTMLP_OPTIM_WHOLE_H

#include "engine/optim/step.h"

/* The step of all parameters, by rules that look at a whole one: optim/whole.c. */
void fm_step_whole(const fm_pass *pass, const fm_step *step);

#endif

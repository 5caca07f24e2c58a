/* Steps of rules that look at all of a parameter at once. */
#ifndef FASTMLP_OPTIM_LAYERWISE_H
#define FASTMLP_OPTIM_LAYERWISE_H

#include "engine/optim/step.h"

/* The step of all parameters, by rules that look at a whole one: optim/layerwise.c. */
void fm_step_layerwise(const fm_pass *pass, const fm_step *step);

#endif

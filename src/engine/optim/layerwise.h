/* Steps of layer-wise optimizers. */
#ifndef FASTMLP_OPTIM_LAYERWISE_H
#define FASTMLP_OPTIM_LAYERWISE_H

#include "engine/optim/step.h"

/* The step of all parameters by a layer-wise optimizer. */
void fm_step_layerwise(const fm_pass *pass, const fm_step *step);

#endif

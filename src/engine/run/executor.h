/* Forward and backward over the nodes. */
#ifndef FASTMLP_RUN_EXECUTOR_H
#define FASTMLP_RUN_EXECUTOR_H

#include "engine/optim/step.h"

/* Fills the buffers; ends with a barrier. */
void fm_forward(const fm_pass *pass);

/* From the gradient of the objective's source down to the first parameters, updating each node as soon as its gradient is known; ends
 * without a barrier. */
void fm_backward(const fm_pass *pass, const fm_step *step);

#endif

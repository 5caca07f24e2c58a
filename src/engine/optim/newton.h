/* Orthogonalization of matrices for Muon. */
#ifndef FASTMLP_OPTIM_NEWTON_H
#define FASTMLP_OPTIM_NEWTON_H

#include "engine/graph/pass.h"

/* Sizes of the buffers for a network's matrices; 0 for other optimizers. */
fm_newton fm_newton_room(const fm_network *network, const fm_update_spec *update);

/* Replaces a parameter's part of `optimizer.step`, whose column norms are in norms[1], by approximately the orthogonal matrix with the
 * same singular vectors. Ends with a barrier. */
void fm_make_orthogonal(const fm_pass *pass, int p);

#endif

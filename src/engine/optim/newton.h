/* Matrices made orthogonal for Muon. */
#ifndef FASTMLP_OPTIM_NEWTON_H
#define FASTMLP_OPTIM_NEWTON_H

#include "engine/graph/pass.h"

/* How much room a network's matrices need, none where the rule is another one. */
fm_newton fm_newton_room(const fm_network *network, const fm_update_spec *update);

/* Brings a parameter's part of `around.step`, whose columns have the sums of squares norms[1], near the orthogonal matrix of the same singular
 * vectors; ends with a barrier. */
void fm_make_orthogonal(const fm_pass *pass, int p);

#endif

/* The kernels that -O3 makes faster, and the table of all kernels. Compiled once for each ISA: CMake defines FM_ISA_NAME and
 * FM_ISA_HEADER. */
#include "bodies.h"

#include "body/elementwise.h"
#include "body/gemm.h"
#include "body/optimizer.h"
#include "body/peak.h"
#include "body/sparse.h"

#define FM_STRING_(a) #a
#define FM_STRING(a) FM_STRING_(a)

extern const fm_kernels FM_CONCAT(kernels, _, FM_ISA_NAME);
const fm_kernels FM_CONCAT(kernels, _, FM_ISA_NAME) = {
    .name = FM_STRING(FM_ISA_NAME),
#define FM_LOSS(name) .loss_##name = FM_FUNCTION(loss_##name),
#define FM_OPTIMIZER(name, ...) .update_##name = FM_FUNCTION(update_##name),
#define FM_REPLAY(name, slots) .replay_##name = FM_FUNCTION(replay_##name),
#define FM_KERNEL(name, arguments) .name = FM_FUNCTION(name),
#include "kernels.def"
};

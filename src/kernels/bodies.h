/* What all kernel bodies are written with: the contracts, the function names of one ISA, its primitives, and the vector functions over
 * them. A kernel of an ISA is a function fm_<isa>_<kernel>. */
#include "kernels.h"

#define FM_CONCAT_(a, b, c) fm_##a##b##c
#define FM_CONCAT(a, b, c) FM_CONCAT_(a, b, c)
#define FM_FUNCTION(name) FM_CONCAT(FM_ISA_NAME, _, name)

#define FM_LOSS(name) void FM_FUNCTION(loss_##name)(const fm_loss *);
#define FM_OPTIMIZER(name, ...) void FM_FUNCTION(update_##name)(const fm_update *);
#define FM_REPLAY(name, slots) void FM_FUNCTION(replay_##name)(const fm_replay *);
#define FM_KERNEL(name, arguments) void FM_FUNCTION(name)(const arguments *);
#include "kernels.def"

/* Forced inlining makes code fast, but several times as large and slow to compile. FM_COMPACT does without it; FM_SPECIALIZE has it only
 * for functions whose constant arguments decide what they do, so that each of their callers has a copy without the decisions. */
#if defined(FM_COMPACT) || defined(FM_SPECIALIZE)
#define FM_INLINE static __attribute__((unused))
#else
#define FM_INLINE static inline __attribute__((always_inline))
#endif
#if defined(FM_COMPACT)
#define FM_SPECIALIZED FM_INLINE
#else
#define FM_SPECIALIZED static inline __attribute__((always_inline))
#endif

/* For functions that are called from many places, which GCC would otherwise clone for their arguments. */
#if defined(__clang__)
#define FM_ONE_COPY __attribute__((noinline))
#else
#define FM_ONE_COPY __attribute__((noinline, noclone))
#endif

#include FM_ISA_HEADER

#define FM_VECTORS (FM_PANEL / V_LANES) /* vectors in a panel of 16 columns */

#include "body/math.h"

#include "body/activation.h"

#include "body/input_activation.h"

#include "body/lanes.h"

/* Everything an ISA's file includes after its primitives: the bodies, lowest first, then the table made from the manifest. */
#include "kernels.h"

#define FM_VECTORS (FM_PANEL / V_LANES) /* vectors in a panel of 16 columns */

#ifndef FM_INLINE /* tests/kernels sets it, to compile much faster what need not run fast */
#if defined(__GNUC__)
#define FM_INLINE static inline __attribute__((always_inline))
#else
#define FM_INLINE static inline
#endif
#endif

#include "math_body.h"
#include "activation_body.h"
#include "input_activation_body.h"
#include "gemm_body.h"
#include "sparse_body.h"
#include "lanes_body.h"
#include "elementwise_body.h"
#include "optimizer_body.h"
#include "peak_body.h"

/* What is not multiplied out in loops of its own: here -O3 makes code half as large again, and no faster. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("O2")
#endif
#include "loss_body.h"
#include "loss_columns_body.h"
#include "loss_categories_body.h"
#include "loss_rows_body.h"
#include "loss_overlap_body.h"
#include "adjust_body.h"
#include "activity_body.h"
#include "dropout_body.h"
#include "noise_body.h"
#include "normalize_body.h"
#include "row_activation_body.h"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#define FM_CONCAT_(a, b) a##b
#define FM_CONCAT(a, b) FM_CONCAT_(a, b)
#define FM_STRING_(a) #a
#define FM_STRING(a) FM_STRING_(a)

extern const fm_kernels FM_CONCAT(fm_kernels_, FM_ISA_NAME);
const fm_kernels FM_CONCAT(fm_kernels_, FM_ISA_NAME) = {
    .name = FM_STRING(FM_ISA_NAME),
#define FM_LOSS(name) .loss_##name = loss_##name,
#define FM_OPTIMIZER(name, slots) .update_##name = update_##name,
#define FM_REPLAY(name, slots) .replay_##name = replay_##name,
#define FM_KERNEL(name, arguments) .name = kernel_##name,
#include "isa.inc"
};

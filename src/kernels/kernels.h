/* Kernels: their contracts, and the table that holds those of one ISA.
 *
 * A kernel knows no network, no thread and no malloc: it takes one const struct of pointers and sizes and returns nothing. It reads and
 * writes only what its struct names, so different threads may compute disjoint parts of an output.
 *
 * Numbers. Every ISA produces the same bits:
 *   - an output element of a GEMM is Σ_p a_p·b_p over ascending p, one fused multiply-add per term, starting at +0, or at the value in
 *   c with `accumulate`, so that a sum can be split into blocks of p without changing a bit;
 *   - every other sum over columns uses 16 lanes, lane l taking the columns l, l+16, l+32, … in order, and then the fixed tree 8+8,
 *   4+4, 2+2, 1+1 (lane l of the lower half plus lane l of the upper half);
 *   - division and square root are correctly rounded, without estimates and without contraction.
 *
 * Rows. "Padded" rows have memory for the columns rounded up to a multiple of 16; pads may be read, and hold finite numbers.
 */
#ifndef FASTMLP_KERNELS_H
#define FASTMLP_KERNELS_H

#include "include/names.h"
#include "include/elementwise.h"
#include "include/losses.h"
#include "include/norm.h"
#include "include/optimizers.h"
#include "include/peak.h"
#include "include/periodic.h"
#include "include/products.h"
#include "include/random.h"
#include "include/rowwise.h"

typedef struct fm_kernels {
    const char *name; /* of the ISA */
#define FM_LOSS(name) void (*loss_##name)(const fm_loss *);
#define FM_OPTIMIZER(name, ...) void (*update_##name)(const fm_update *);
#define FM_REPLAY(name, slots) void (*replay_##name)(const fm_replay *);
#define FM_KERNEL(name, arguments) void (*name)(const arguments *);
#include "kernels.def"
} fm_kernels;

/* The tables compiled in; NULL past the last. */
const fm_kernels *fm_kernels_at(int index);

/* True if this processor and operating system can run the table. */
int fm_kernels_supported(const fm_kernels *kernels);

/* A kernel's address by name, for tests and benchmarks: index counts the kernels of the table; NULL past the last. */
typedef struct fm_kernel_entry {
    const char *name;
    void (*function)(void);
} fm_kernel_entry;
fm_kernel_entry fm_kernel_entry_at(const fm_kernels *kernels, int index);

/* Names in the order of the enums; NULL past the last. */
const char *fm_activation_name(int index);
const char *fm_loss_name(int index);
const char *fm_optimizer_name(int index);
const char *fm_hyperparameter_name(int index);

/* The name of an optimizer's slot with this index below FM_RULE_SLOTS; NULL past the last. */
const char *fm_optimizer_slot_name(int optimizer, int slot);

#endif

/* Numbers of activations, losses, optimizers and hyperparameters, from the manifest, and the width of a panel. */
#ifndef FASTMLP_KERNELS_NAMES_H
#define FASTMLP_KERNELS_NAMES_H

/* Columns of a weight panel, and the lanes of every fixed-order sum. A kernel matrix [K][N] lives as panels [ceil(N/16)][K][16]. */
#define FM_PANEL 16
#define FM_ROUND_UP(n) (((n) + (FM_PANEL - 1)) / FM_PANEL * FM_PANEL)

/* Those whose derivative is a function of their output come first: only they can be an epilogue. */
enum {
#define FM_ACTIVATION(name) FM_ACTIVATION_##name,
#include "../kernels.def"
    FM_OUTPUT_ACTIVATION_COUNT,
    FM_LAST_OUTPUT_ACTIVATION = FM_OUTPUT_ACTIVATION_COUNT - 1,
#define FM_INPUT_ACTIVATION(name) FM_ACTIVATION_##name,
#include "../kernels.def"
    FM_ACTIVATION_COUNT
};

enum {
#define FM_LOSS(name) FM_LOSS_##name,
#include "../kernels.def"
    FM_LOSS_COUNT
};

enum {
#define FM_OPTIMIZER(name, ...) FM_OPTIMIZER_##name,
#define FM_LAYERWISE_OPTIMIZER(name, ...) FM_OPTIMIZER_##name,
#include "../kernels.def"
    FM_OPTIMIZER_COUNT
};

enum {
#define FM_HYPERPARAMETER(name) FM_HYPERPARAMETER_##name,
#include "../kernels.def"
    FM_HYPERPARAMETER_COUNT
};

#endif

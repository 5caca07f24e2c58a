/* Trains a small network through fastmlp.h on every table this processor runs, in every way the engine knows: one thread and two, the
 * update fused into the gradient's product or apart, zeros of the input visited or skipped. All must end with the same weights.
 *
 * Prints a digest of the weights for each optimizer, which must be the same on every architecture, and last `N passed, M failed`.
 */
#include "engine/graph/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 160, BATCH = 96, INPUTS = 100, FIRST = 160, SECOND = 64, CLASSES = 10, EPOCHS = 2, PARAMETERS = 6 };

static const int64_t WIDTHS[] = {INPUTS, FIRST, FIRST, SECOND, CLASSES, CLASSES};
static const int64_t SHAPES[PARAMETERS][2] = {{INPUTS, FIRST}, {1, FIRST}, {FIRST, SECOND}, {1, SECOND}, {SECOND, CLASSES}, {1, CLASSES}};
static const fm_node_spec NODES[] = {
    {.op = FM_OP_dense, .input = 0, .output = 1, .kernel = 0, .bias = 1, .activation = FM_ACTIVATION_relu},
    {.op = FM_OP_dropout, .input = 1, .output = 2, .kernel = -1, .bias = -1, .rate = 0.25f},
    {.op = FM_OP_dense, .input = 2, .output = 3, .kernel = 2, .bias = 3, .activation = FM_ACTIVATION_tanh},
    {.op = FM_OP_dense, .input = 3, .output = 4, .kernel = 4, .bias = 5},
    {.op = FM_OP_softmax, .input = 4, .output = 5, .kernel = -1, .bias = -1},
};

static const fm_parameter_rule KERNELS[PARAMETERS] = {[0] = {.matrix = 1}, [2] = {.matrix = 1}, [4] = {.matrix = 1}};

static const struct {
    const char *name;
    double learning_rate;
    fm_update_spec spec;
} OPTIMIZERS[] = {
    {"sgd", 0.1, {.kind = FM_OPTIMIZER_sgd, .momentum = 0.9, .nesterov = 1}},
    {"rmsprop", 0.002, {.kind = FM_OPTIMIZER_rmsprop, .rho = 0.9, .momentum = 0.5, .epsilon = 1e-7}},
    {"adam", 0.002, {.kind = FM_OPTIMIZER_adam, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7}},
    {"nadam", 0.002, {.kind = FM_OPTIMIZER_nadam, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7, .weight_decay = 0.1, .clipvalue = 0.01}},
    {"adagrad", 0.01, {.kind = FM_OPTIMIZER_adagrad, .epsilon = 1e-7, .initial_accumulator = 0.1, .global_clipnorm = 0.1, .ema = 1}},
    {"lamb", 0.01, {.kind = FM_OPTIMIZER_lamb, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7, .clipnorm = 0.1}},
    {"adafactor",
     0.02,
     {.kind = FM_OPTIMIZER_adafactor,
      .beta_2_decay = -0.8,
      .epsilon = 1e-30,
      .epsilon_2 = 1e-3,
      .clip_threshold = 1.0,
      .parameters = KERNELS}},
    {"muon",
     0.01,
     {.kind = FM_OPTIMIZER_muon,
      .momentum = 0.95,
      .nesterov = 1,
      .beta_1 = 0.9,
      .beta_2 = 0.999,
      .epsilon = 1e-7,
      .newton_a = 3.4445,
      .newton_b = -4.775,
      .newton_c = 2.0315,
      .newton_steps = 5,
      .rms_rate = 0.2,
      .vector_rate = 1.0,
      .parameters = KERNELS}},
};
#define OPTIMIZER_COUNT ((int)(sizeof OPTIMIZERS / sizeof *OPTIMIZERS))

typedef struct variant {
    const char *name;
    int threads, unfused;
    double skip_below;
} variant;

static const variant VARIANTS[] = {
    {"one thread", 1, 0, 0.0},
    {"two threads", 2, 0, 0.0},
    {"two threads, update apart", 2, 1, 0.0},
    {"two threads, zeros skipped", 2, 0, 2.0},
};
#define VARIANT_COUNT ((int)(sizeof VARIANTS / sizeof *VARIANTS))

/* Uniform in [−1, 1): Knuth's linear congruential generator for 64 bits. */
static float uniform(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(int32_t)(*state >> 32) * 0x1p-31f;
}

static void ensure(fm_status status, const char *what) {
    if (status != FM_STATUS_OK) {
        fprintf(stderr, "%s: status %d\n", what, (int)status);
        exit(2);
    }
}

/* FNV-1a over the bits of n more values. */
static uint64_t hash_floats(uint64_t hash, const float *values, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        hash = (hash ^ bits) * UINT64_C(0x100000001B3);
    }
    return hash;
}

/* A digest of all parameters after training, and of the predictions. */
static uint64_t train(const fm_kernels *kernels, int optimizer, const variant *v) {
    static float x[ROWS * INPUTS], values[FIRST * INPUTS], predictions[ROWS * CLASSES];
    static int32_t labels[ROWS];
    static uint32_t order[ROWS];
    uint64_t state = 1, hash = UINT64_C(0xCBF29CE484222325);
    const fm_plan plan = {6, 5, PARAMETERS, WIDTHS, NODES, SHAPES, 5, NULL};
    const fm_metric_spec accuracy = {.kind = FM_LOSS_sparse_categorical_accuracy, .source = 5, .threshold = 0.5f};
    const fm_objective objective = {.loss = FM_LOSS_sparse_categorical_crossentropy_from_logits,
                                    .source = 4,
                                    .metric_count = 1,
                                    .metrics = &accuracy,
                                    .output = 5,
                                    .weight = 1.0};
    fm_network *network;
    uint64_t task;

    for (int i = 0; i < ROWS * INPUTS; i++) {
        const int rare = i % INPUTS >= INPUTS / 2 && (i / INPUTS + i) % 64; /* columns that whole batches do not have */
        x[i] = rare || uniform(&state) < 0.0f ? 0.0f : uniform(&state);
    }
    for (int i = 0; i < ROWS; i++)
        labels[i] = (int32_t)(CLASSES * (0.5f + 0.5f * uniform(&state))) % CLASSES;
    ensure(fm_network_new(kernels, &plan, &network), "fm_network_new");
    for (int p = 0; p < PARAMETERS; p++) {
        for (int i = 0; i < SHAPES[p][0] * SHAPES[p][1]; i++)
            values[i] = 0.2f * uniform(&state);
        ensure(fm_network_set(network, 0, FM_ARRAY_VALUE, p, values), "fm_network_set");
    }
    ensure(fm_network_configure(network, &objective, 1, &OPTIMIZERS[optimizer].spec, &task), "fm_network_configure");
    const fm_state numbers = {.seed = UINT64_C(0x123456789ABCDEF),
                              .learning_rate = OPTIMIZERS[optimizer].learning_rate,
                              .skip_below = v->skip_below,
                              .unfused = v->unfused};
    const fm_field fields[] = {FM_FIELD_SEED, FM_FIELD_LEARNING_RATE, FM_FIELD_SKIP_BELOW, FM_FIELD_UNFUSED};
    for (int i = 0; i < 4; i++)
        ensure(fm_network_set_state(network, fields[i], numbers), "fm_network_set_state");
    fm_set_threads(v->threads);
    network->autotune[1] =
        (fm_autotune){.seconds_per_row = {1.0, 0.0}, .until_probe = INFINITY}; /* all threads: do not measure and choose */

    const fm_batches batches = {.task = task, .rows = ROWS, .batch_size = BATCH, .x = x, .labels = labels, .order = order};
    double totals[4] = {0};
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        int64_t next = 0;
        const int64_t stop = (ROWS + BATCH - 1) / BATCH;
        fm_shuffle(7, (uint64_t)epoch, order, ROWS);
        while (next < stop)
            ensure(fm_network_train(network, &batches, &next, stop, 10.0, totals), "fm_network_train");
    }
    if (network->batch[1]->workers != v->threads) {
        fprintf(stderr, "%s: the network is too small to train on so many\n", v->name);
        exit(2);
    }
    for (int p = 0; p < PARAMETERS; p++) {
        ensure(fm_network_get(network, 0, FM_ARRAY_VALUE, p, values), "fm_network_get");
        hash = hash_floats(hash, values, SHAPES[p][0] * SHAPES[p][1]);
    }
    const fm_input input = {.rows = ROWS, .x = x};
    ensure(fm_network_predict(network, &input, predictions), "fm_network_predict");
    fm_network_free(network);
    return hash_floats(hash, predictions, ROWS * CLASSES);
}

/* One optimizer on one table in every way; returns how many ended otherwise. */
static int count_wrong(const fm_kernels *kernels, int optimizer, uint64_t expected) {
    int wrong = 0;
    for (int v = 0; v < VARIANT_COUNT; v++) {
        const uint64_t got = train(kernels, optimizer, &VARIANTS[v]);
        if (got != expected) {
            printf("%s on %s, %s: %016llx\n", OPTIMIZERS[optimizer].name, kernels->name, VARIANTS[v].name, (unsigned long long)got);
            wrong++;
        }
    }
    return wrong;
}

int main(void) {
    int passed = 0, failed = 0;
    for (int o = 0; o < OPTIMIZER_COUNT; o++) {
        const uint64_t expected = train(fm_kernels_at(0), o, &VARIANTS[0]);
        printf("digest train_%s %016llx\n", OPTIMIZERS[o].name, (unsigned long long)expected);
        for (int i = 0; fm_kernels_at(i); i++)
            if (fm_kernels_supported(fm_kernels_at(i))) {
                const int wrong = count_wrong(fm_kernels_at(i), o, expected);
                passed += VARIANT_COUNT - wrong;
                failed += wrong;
            }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

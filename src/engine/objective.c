/* What is minimised and measured: which kernels a batch's loss and metrics need, and what those read. */
#include "engine.h"

#include <math.h>

static int has_labels(int loss) {
    return loss == FM_LOSS_sparse_categorical_crossentropy || loss == FM_LOSS_sparse_categorical_crossentropy_from_logits ||
           loss == FM_LOSS_sparse_categorical_accuracy;
}

static int is_from_logits(int loss) {
    return loss == FM_LOSS_binary_crossentropy_from_logits || loss == FM_LOSS_binary_focal_crossentropy_from_logits ||
           loss == FM_LOSS_categorical_crossentropy_from_logits || loss == FM_LOSS_categorical_focal_crossentropy_from_logits ||
           loss == FM_LOSS_sparse_categorical_crossentropy_from_logits;
}

/* The accuracy that a loss kernel reports beside the loss, or -1. */
static int accuracy_beside(int loss) {
    switch (loss) {
    case FM_LOSS_binary_crossentropy:
    case FM_LOSS_binary_crossentropy_from_logits:
    case FM_LOSS_binary_focal_crossentropy:
    case FM_LOSS_binary_focal_crossentropy_from_logits:
        return FM_LOSS_binary_accuracy;
    case FM_LOSS_categorical_crossentropy:
    case FM_LOSS_categorical_crossentropy_from_logits:
    case FM_LOSS_categorical_focal_crossentropy:
    case FM_LOSS_categorical_focal_crossentropy_from_logits:
        return FM_LOSS_categorical_accuracy;
    case FM_LOSS_sparse_categorical_crossentropy:
    case FM_LOSS_sparse_categorical_crossentropy_from_logits:
        return FM_LOSS_sparse_categorical_accuracy;
    default:
        return -1;
    }
}

/* Smoothed labels are no labels any more: the loss of one-hot targets takes them. */
static int of_smoothed(int loss) {
    switch (loss) {
    case FM_LOSS_sparse_categorical_crossentropy:
        return FM_LOSS_categorical_crossentropy;
    case FM_LOSS_sparse_categorical_crossentropy_from_logits:
        return FM_LOSS_categorical_crossentropy_from_logits;
    default:
        return loss;
    }
}

static void call(const fm_kernels *kernels, int kind, const fm_loss *arguments) {
    void (*const table[])(const fm_loss *) = {
#define FM_LOSS(name) kernels->loss_##name,
#include "../kernels/isa.inc"
    };
    table[kind](arguments);
}

static int is_sound_metric(const fm_objective *objective, int kind) {
    return kind >= 0 && kind < FM_LOSS_COUNT && has_labels(kind) == has_labels(objective->loss) &&
           (kind == FM_LOSS_gaussian_nll) == (objective->loss == FM_LOSS_gaussian_nll);
}

int fm_is_sound_objective(const fm_network *network, const fm_objective *objective) {
    const int least = objective->function ? -1 : 0;
    if (objective->loss < least || objective->loss >= FM_LOSS_binary_accuracy || objective->metric_count < 0)
        return 0;
    for (int m = 0; m < objective->metric_count; m++)
        if (!is_sound_metric(objective, objective->metrics[m].kind))
            return 0;
    if (objective->loss == FM_LOSS_gaussian_nll && network->width[network->output] % 2)
        return 0;
    if (objective->source == network->output)
        return 1;
    const fm_node *last = &network->nodes[network->node_count - 1];
    if (objective->source != last->spec.input || network->node_count < 2 || !is_from_logits(objective->loss))
        return 0;
    return accuracy_beside(objective->loss) == FM_LOSS_binary_accuracy
               ? last->spec.op == FM_OP_ACTIVATION && last->spec.activation == FM_ACTIVATION_sigmoid
               : last->spec.op == FM_OP_SOFTMAX;
}

int fm_reads_labels(const fm_network *network) { return has_labels(network->objective.loss); }

int fm_smooths(const fm_network *network) {
    int smooths = network->objective.smoothing != 0.0f;
    for (int m = 0; m < network->objective.metric_count; m++)
        smooths |= network->metrics[m].smoothing != 0.0f;
    return smooths;
}

/* Calls a loss kernel, on smoothed targets if there is smoothing. */
static void call_smoothed(const fm_network *network, int kind, float smoothing, float *room, const fm_loss *arguments) {
    fm_loss a = *arguments;
    if (smoothing != 0.0f) {
        const ptrdiff_t classes = accuracy_beside(kind) == FM_LOSS_binary_accuracy ? 2 : a.cols;
        const fm_smooth smooth = {
            .rows = a.rows,
            .cols = a.cols,
            .y = a.y,
            .y_row = a.y_row,
            .labels = a.labels,
            .keep = 1.0f - smoothing,
            .share = smoothing / (float)classes,
            .out = room,
            .out_row = a.y_row,
        };
        network->kernels->smooth(&smooth);
        a.y = room;
        a.labels = NULL;
        kind = of_smoothed(kind);
    }
    call(network->kernels, kind, &a);
}

/* The caller's own loss, weighted and scaled as a kernel would do it; 0 if it failed. */
static int call_function(const fm_objective *o, const fm_loss *a) {
    if (o->function(o->context, a) != 0)
        return 0;
    for (ptrdiff_t r = 0; r < a->rows; r++) {
        const float weight = a->weight ? a->weight[r] : 1.0f;
        float *grad = a->grad ? a->grad + r * a->grad_row : NULL;
        a->loss[r] *= weight;
        for (ptrdiff_t c = 0; grad && c < a->cols; c++)
            grad[c] *= weight * a->scale;
        for (ptrdiff_t c = a->cols; grad && c < FM_ROUND_UP(a->cols); c++)
            grad[c] = 0.0f;
    }
    return 1;
}

fm_outcome fm_measure(const fm_pass *pass, const fm_batches *batches) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const fm_objective *o = &network->objective;
    /* A function of the caller's gets all rows at once, on the caller's thread; the metrics then go the same way. */
    const fm_range rows = !o->function           ? fm_share_rows(pass->rows, pass->worker)
                          : pass->worker.id == 0 ? (fm_range){0, pass->rows}
                                                 : (fm_range){0, 0};
    fm_outcome outcome = {0, 0};
    if (rows.begin >= rows.end)
        return outcome;
    const ptrdiff_t row = network->stride[o->source]; /* source and output have the same width */
    const ptrdiff_t begin = rows.begin * row;
    float *predictions = w->value[network->output] + begin;
    const float *weight = batches->sample_weight ? w->weight + rows.begin : NULL;
    int hit = -1; /* the first unweighted metric that the loss kernel gives away */
    for (int m = 0; m < o->metric_count && hit < 0 && o->smoothing == 0.0f; m++)
        if (o->metrics[m].kind == accuracy_beside(o->loss) && !(weight && o->metrics[m].weighted) && o->metrics[m].threshold == 0.5f &&
            (o->source != network->output || !is_from_logits(o->loss)))
            hit = m;
    fm_loss loss = {
        .rows = rows.end - rows.begin,
        .cols = network->width[o->source],
        .x = w->value[o->source] + begin,
        .x_row = row,
        .y = batches->labels ? NULL : w->y + begin,
        .y_row = row,
        .labels = batches->labels ? w->labels + rows.begin : NULL,
        .weight = weight,
        .scale = 1.0f / (float)pass->rows,
        .threshold = 0.5f,
        .loss = w->loss + rows.begin,
        .grad = pass->training ? w->grad[o->source] + begin : NULL,
        .grad_row = row,
        .probs = o->source == network->output ? NULL : predictions,
        .probs_row = row,
        .hit = hit < 0 ? NULL : w->metric + hit * FM_ROUND_UP(w->rows) + rows.begin,
    };
    for (int i = 0; i < FM_LOSS_PARAMETERS; i++)
        loss.parameter[i] = o->parameter[i];
    float *room = w->smoothed ? w->smoothed + begin : NULL;
    if (!o->function)
        call_smoothed(network, o->loss, o->smoothing, room, &loss);
    else if (!call_function(o, &loss))
        return (fm_outcome){.interrupted = 1};
    for (ptrdiff_t i = rows.begin; i < rows.end; i++)
        outcome.non_finite |= !isfinite(w->loss[i]);
    for (int m = 0; m < o->metric_count; m++) {
        if (m == hit)
            continue;
        fm_loss metric = loss;
        metric.x = predictions;
        metric.weight = o->metrics[m].weighted ? weight : NULL;
        metric.threshold = o->metrics[m].threshold;
        for (int i = 0; i < FM_LOSS_PARAMETERS; i++)
            metric.parameter[i] = o->metrics[m].parameter[i];
        metric.loss = w->metric + m * FM_ROUND_UP(w->rows) + rows.begin;
        metric.grad = metric.probs = metric.hit = NULL;
        call_smoothed(network, o->metrics[m].kind, o->metrics[m].smoothing, room, &metric);
    }
    return outcome;
}

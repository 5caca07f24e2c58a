/* Losses and metrics: which combinations are valid, and what they read. */
#include "engine/graph/terms.h"

#include <stdlib.h>
#include <string.h>

int fm_has_labels(int loss) {
    return loss == FM_LOSS_sparse_categorical_crossentropy || loss == FM_LOSS_sparse_categorical_crossentropy_from_logits ||
           loss == FM_LOSS_sparse_categorical_accuracy || loss == FM_LOSS_sparse_categorical_generalized_cross_entropy ||
           loss == FM_LOSS_sparse_circle;
}

int fm_is_pair_loss(int loss) { return loss == FM_LOSS_sparse_circle; }

int fm_is_batch_loss(int loss) { return loss == FM_LOSS_dice || loss == FM_LOSS_tversky || fm_is_pair_loss(loss); }

int fm_is_from_logits(int loss) {
    return loss == FM_LOSS_binary_crossentropy_from_logits || loss == FM_LOSS_binary_focal_crossentropy_from_logits ||
           loss == FM_LOSS_categorical_crossentropy_from_logits || loss == FM_LOSS_categorical_focal_crossentropy_from_logits ||
           loss == FM_LOSS_sparse_categorical_crossentropy_from_logits;
}

int fm_accuracy_with_loss(int loss) {
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

#define MAX_TARGETS (1 << 24) /* columns of the targets of a user-defined loss */

/* True if a loss of this kind may read the buffer: the predictions, or the input of the softmax or sigmoid that writes them. */
static int validate_source(const fm_node *last, int source, int kind) {
    if (source == last->spec.output)
        return 1;
    if (source != last->spec.input || !fm_is_from_logits(kind))
        return 0;
    return fm_accuracy_with_loss(kind) == FM_LOSS_binary_accuracy
               ? last->spec.op == FM_OP_activation && last->spec.activation == FM_ACTIVATION_sigmoid
               : last->spec.op == FM_OP_softmax;
}

static int validate_metric(const fm_objective *objective, const fm_node *last, const fm_metric_spec *metric) {
    return metric->kind >= 0 && metric->kind < FM_LOSS_COUNT && fm_has_labels(metric->kind) == fm_has_labels(objective->loss) &&
           (metric->kind == FM_LOSS_gaussian_nll) == (objective->loss == FM_LOSS_gaussian_nll) &&
           (metric->kind >= FM_LOSS_binary_accuracy || !fm_is_pair_loss(objective->loss)) && /* its labels need not be columns */
           validate_source(last, metric->source, metric->kind) && !fm_is_batch_loss(metric->kind);
}

int fm_validate_objective(const fm_network *network, const fm_objective *objective) {
    const int least = objective->function ? -1 : 0;
    if (objective->loss < least || objective->loss >= FM_LOSS_binary_accuracy || objective->metric_count < 0)
        return 0;
    if (objective->ignores && !fm_has_labels(objective->loss))
        return 0;
    if (objective->targets < 0 || objective->targets > MAX_TARGETS ||
        (objective->targets && (!objective->function || objective->metric_count || network->rows_per_sample[objective->output] != 1)))
        return 0;
    if (objective->loss == FM_LOSS_gaussian_nll && network->width[objective->output] % 2)
        return 0;
    const fm_node *last = NULL;
    for (int i = 0; i < network->node_count; i++)
        if (network->nodes[i].spec.output == objective->output)
            last = &network->nodes[i];
    if (!last || !validate_source(last, objective->source, objective->loss))
        return 0;
    for (int m = 0; m < objective->metric_count; m++)
        if (!validate_metric(objective, last, &objective->metrics[m]))
            return 0;
    return 1;
}

static ptrdiff_t target_columns(const fm_network *network, const fm_objective *objective) {
    if (objective->targets)
        return objective->targets;
    const ptrdiff_t rows_per_sample = network->rows_per_sample[objective->output];
    if (fm_has_labels(objective->loss))
        return rows_per_sample;
    return rows_per_sample * network->width[objective->output] / (objective->loss == FM_LOSS_gaussian_nll ? 2 : 1);
}

fm_loss_term *fm_copy_terms(const fm_network *network, const fm_objective *objectives, int count) {
    size_t metric_count = 0;
    for (int t = 0; t < count; t++)
        metric_count += (size_t)objectives[t].metric_count;
    fm_loss_term *terms = calloc(1, (size_t)count * sizeof *terms + metric_count * sizeof(fm_metric_spec));
    if (!terms)
        return NULL;
    fm_metric_spec *metrics = (fm_metric_spec *)(terms + count);
    ptrdiff_t column = 0;
    for (int t = 0; t < count; t++) {
        const fm_objective *o = &objectives[t];
        const ptrdiff_t y_row = o->targets ? FM_ROUND_UP(o->targets) : network->stride[o->output];
        terms[t] = (fm_loss_term){*o, column, target_columns(network, o), y_row};
        terms[t].objective.metrics = metrics;
        if (o->metric_count)
            memcpy(metrics, o->metrics, (size_t)o->metric_count * sizeof *metrics);
        metrics += o->metric_count;
        column += terms[t].columns;
    }
    return terms;
}

int fm_reads_labels(const fm_network *network) { return network->term_count == 1 && fm_has_labels(network->terms[0].objective.loss); }

int fm_uses_smoothing(const fm_objective *objective) {
    int smooths = objective->smoothing != 0.0f;
    for (int m = 0; m < objective->metric_count; m++)
        smooths |= objective->metrics[m].smoothing != 0.0f;
    return smooths;
}

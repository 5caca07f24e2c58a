/* Losses and metrics of a batch: which kernels compute them, and what those read. */
#include "engine/run/objective.h"
#include "engine/graph/terms.h"

#include <math.h>
#include <string.h>

/* Smoothed labels are distributions, so the loss of one-hot targets takes them. */
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
#include "kernels/kernels.def"
    };
    table[kind](arguments);
}

/* Calls a loss kernel, with label smoothing if there is any. */
static void call_smoothed(const fm_network *network, int kind, float smoothing, float *room, const fm_loss *arguments) {
    fm_loss a = *arguments;
    if (smoothing != 0.0f) {
        const ptrdiff_t classes = fm_accuracy_with_loss(kind) == FM_LOSS_binary_accuracy ? 2 : a.cols;
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

/* Calls a user-defined loss, and applies weights and scale as a kernel would; 0 if it failed. Other threads may read the network in the
 * meantime. A child process that it forked cannot continue, because it lacks the other workers. */
static int call_function(fm_network *network, const fm_objective *o, const fm_loss *a) {
    const unsigned forks = network->lock.forks;
    fm_lock_lend(&network->lock);
    fm_fpmode_leave(network->caller_mode);
    const int failed = o->function(o->context, a);
    fm_fpmode_enter();
    fm_lock_take_back(&network->lock);
    if (failed || network->lock.forks != forks)
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

/* Activity penalties of these rows; sample weights do not apply. 0 if one is not finite. */
static int activity_penalties(const fm_pass *pass, fm_range rows) {
    if (rows.begin >= rows.end)
        return 1;
    const fm_network *network = pass->network;
    float *penalty = pass->workspace->activity + rows.begin;
    memset(penalty, 0, (size_t)(rows.end - rows.begin) * sizeof *penalty);
    for (int i = 0; i < network->node_count; i++) {
        const fm_node *node = &network->nodes[i];
        if (node->spec.op != FM_OP_activity || !node->needed)
            continue;
        const ptrdiff_t row = network->stride[node->spec.output];
        const fm_activity arguments = {
            .rows = rows.end - rows.begin,
            .cols = node->units,
            .x = pass->workspace->value[node->spec.output] + rows.begin * row,
            .row = row,
            .l1 = node->spec.l1,
            .l2 = node->spec.l2,
            .loss = penalty,
        };
        network->kernels->activity(&arguments);
    }
    int finite = 1;
    for (ptrdiff_t i = 0; i < rows.end - rows.begin; i++)
        finite &= isfinite(penalty[i]) != 0;
    return finite;
}

/* Labels and weights if some rows are ignored: the others are weighted up, so that their mean is that of the batch. */
static void count_rows(const fm_pass *pass, const fm_objective *o, const fm_target_arrays *targets, fm_range rows, int weighted) {
    ptrdiff_t valid = 0;
    for (ptrdiff_t r = 0; r < fm_rows(pass, o->output); r++)
        valid += targets->labels[r] != o->ignored;
    const float heavier = valid ? (float)fm_rows(pass, o->output) / (float)valid : 0.0f;
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        const int ignored = targets->labels[r] == o->ignored;
        targets->kept[r] = ignored ? 0 : targets->labels[r];
        targets->counted[r] = ignored ? 0.0f : heavier * (weighted ? targets->weight[r] : 1.0f);
    }
}

/* Zeros values and gradients of ignored rows, whatever their predictions. */
static void drop_ignored(const fm_objective *o, const fm_target_arrays *targets, fm_range rows, float *values, float *grad,
                         ptrdiff_t grad_row) {
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        if (targets->labels[r] != o->ignored)
            continue;
        values[r - rows.begin] = 0.0f;
        if (grad)
            memset(grad + (r - rows.begin) * grad_row, 0, (size_t)grad_row * sizeof *grad);
    }
}

/* The first unweighted metric that the loss kernel computes on the way, or −1. */
static int find_hit(const fm_objective *o, int weighted) {
    if (o->smoothing != 0.0f || o->ignores || (o->source == o->output && fm_is_from_logits(o->loss)))
        return -1;
    for (int m = 0; m < o->metric_count; m++)
        if (o->metrics[m].kind == fm_accuracy_with_loss(o->loss) && !(weighted && o->metrics[m].weighted) &&
            o->metrics[m].threshold == 0.5f)
            return m;
    return -1;
}

/* The metrics other than `hit`, with the arguments of the loss where they do not differ. */
static void compute_metrics(const fm_pass *pass, const fm_objective *o, const fm_target_arrays *targets, const fm_loss *loss, fm_range rows,
                            int hit, const float *weight) {
    const fm_network *network = pass->network;
    const ptrdiff_t begin = rows.begin * network->stride[o->source];
    for (int m = 0; m < o->metric_count; m++) {
        const fm_metric_spec *spec = &o->metrics[m];
        if (m == hit)
            continue;
        fm_loss metric = *loss;
        metric.x = pass->workspace->value[spec->source] + begin;
        metric.weight = spec->weighted ? weight : NULL;
        metric.threshold = spec->threshold;
        memcpy(metric.parameter, spec->parameter, sizeof metric.parameter);
        metric.loss = targets->metric + m * fm_room(pass, o->output) + rows.begin;
        metric.grad = metric.probs = metric.hit = NULL;
        /* A loss as a metric cannot read an ignored label that is no column; its rows become 0. An accuracy compares with any number. */
        const int unknown = o->ignores && spec->kind < FM_LOSS_binary_accuracy && (o->ignored < 0 || o->ignored >= loss->cols);
        if (!unknown && fm_has_labels(o->loss))
            metric.labels = targets->labels + rows.begin;
        call_smoothed(network, spec->kind, spec->smoothing, targets->smoothed ? targets->smoothed + begin : NULL, &metric);
        if (unknown)
            drop_ignored(o, targets, rows, metric.loss, NULL, 0);
    }
}

fm_outcome fm_compute_loss(const fm_pass *pass, const fm_batches *batches, int term) {
    const fm_network *network = pass->network;
    const fm_workspace *w = pass->workspace;
    const fm_objective *o = &network->terms[term].objective;
    const fm_target_arrays *targets = &w->targets[term];
    const int labels = fm_has_labels(o->loss);
    /* A user-defined loss runs on the thread of the caller, and a loss of the whole batch needs all rows: both get them at once, as do their
     * metrics. */
    const int single_worker = o->function || fm_is_batch_loss(o->loss);
    const ptrdiff_t count = fm_rows(pass, o->output);
    const fm_range rows = !single_worker         ? fm_partition_rows(count, pass->worker)
                          : pass->worker.id == 0 ? (fm_range){0, count}
                                                 : (fm_range){0, 0};
    fm_outcome outcome = {0, 0};
    if (term == 0 && network->penalizes_activity)
        outcome.non_finite |= !activity_penalties(pass, fm_partition_rows(pass->rows, pass->worker));
    if (rows.begin >= rows.end)
        return outcome;
    const ptrdiff_t row = network->stride[o->source]; /* source and output have the same width */
    const ptrdiff_t begin = rows.begin * row;
    float *grad = w->grad[o->source]; /* NULL where nothing is trained */
    const float *weight = batches->sample_weight ? targets->weight + rows.begin : NULL;
    const int hit = find_hit(o, weight != NULL);
    fm_loss loss = {
        .rows = rows.end - rows.begin,
        .cols = network->width[o->source],
        .x = w->value[o->source] + begin,
        .x_row = row,
        .y = labels ? NULL : targets->y + rows.begin * network->terms[term].y_row,
        .y_row = network->terms[term].y_row,
        .labels = labels ? targets->labels + rows.begin : NULL,
        .weight = weight,
        .scale = (float)o->weight / (float)count,
        .threshold = 0.5f,
        .loss = targets->loss + rows.begin,
        .grad = pass->training && grad ? grad + begin : NULL,
        .grad_row = row,
        .probs = o->source == o->output ? NULL : w->value[o->output] + begin,
        .probs_row = row,
        .room = targets->pairs,
        .hit = hit < 0 ? NULL : targets->metric + hit * fm_room(pass, o->output) + rows.begin,
    };
    memcpy(loss.parameter, o->parameter, sizeof loss.parameter);
    if (o->ignores) {
        count_rows(pass, o, targets, rows, weight != NULL);
        loss.labels = targets->kept + rows.begin;
        loss.weight = targets->counted + rows.begin;
    }
    if (!o->function)
        call_smoothed(network, o->loss, o->smoothing, targets->smoothed ? targets->smoothed + begin : NULL, &loss);
    else if (!call_function(pass->network, o, &loss))
        return (fm_outcome){.interrupted = 1};
    if (o->ignores)
        drop_ignored(o, targets, rows, loss.loss, loss.grad, row);
    for (ptrdiff_t i = rows.begin; i < rows.end; i++)
        outcome.non_finite |= !isfinite(targets->loss[i]);
    compute_metrics(pass, o, targets, &loss, rows, hit, weight);
    return outcome;
}

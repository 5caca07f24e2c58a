/* The constant arrays that nodes point to, which the network copies into one allocation. */
#include "engine/graph/constants.h"
#include "engine/base/arena.h"

#include <string.h>

typedef struct copier {
    fm_layout layout;
    char *memory; /* NULL while the layout is computed */
} copier;

/* The copy of an array of elements of 4 bytes; the array itself while there is no memory. */
static const void *copied(copier *to, const void *array, ptrdiff_t count) {
    const size_t at = fm_layout_add(&to->layout, count, 1, 4);
    if (!to->memory || !count)
        return array;
    return memcpy(to->memory + at, array, (size_t)count * 4);
}

static void copy_arrays(copier *to, fm_node *node) {
    fm_node_spec *spec = &node->spec;
    ptrdiff_t edges = 0;
    switch (spec->op) {
    case FM_OP_gather:
    case FM_OP_missing:
        spec->gathered = copied(to, spec->gathered, node->units);
        break;
    case FM_OP_lookup:
    case FM_OP_discretization:
        spec->table.keys = copied(to, spec->table.keys, (ptrdiff_t)spec->table.entries);
        spec->table.values = copied(to, spec->table.values, spec->op == FM_OP_lookup ? (ptrdiff_t)spec->table.entries : 0);
        break;
    case FM_OP_piecewise_linear:
    case FM_OP_piecewise_linear_embedding:
        for (ptrdiff_t c = 0; c < node->inputs; c++)
            edges += spec->edge_counts[c];
        spec->edges = copied(to, spec->edges, edges);
        spec->edge_counts = copied(to, spec->edge_counts, node->inputs);
        break;
    default:
        break;
    }
}

int fm_copy_constants(fm_network *network) {
    copier to = {{0, 0}, NULL};
    for (int copies = 0; copies < 2; copies++) {
        to.layout = (fm_layout){0, 0};
        for (int i = 0; i < network->node_count; i++)
            copy_arrays(&to, &network->nodes[i]);
        if (!copies)
            to.memory = network->constant_memory = fm_layout_allocate(&to.layout);
        if (!to.memory)
            return 0;
    }
    return 1;
}

/* One aligned allocation for many arrays, with checked sizes. Refuses to grow: sizes are known before anything is allocated. */
#ifndef FASTMLP_BASE_ARENA_H
#define FASTMLP_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define FM_ALIGNMENT 64

/* Places arrays one after another, each aligned; `overflow` is set once a size does not fit. */
typedef struct fm_layout {
    size_t bytes;
    int overflow;
} fm_layout;

/* Offset of the next array, of rows × columns elements of `size` bytes. */
size_t fm_layout_add(fm_layout *layout, ptrdiff_t rows, ptrdiff_t columns, size_t size);

/* Zeroed, aligned memory for a layout, or NULL. Free with free(). */
char *fm_layout_allocate(const fm_layout *layout);

#endif

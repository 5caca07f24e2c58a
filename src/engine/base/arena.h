/* Aligned memory in one piece for many arrays, whose sizes are checked. */
#ifndef FASTMLP_BASE_ARENA_H
#define FASTMLP_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define FM_ALIGNMENT 64

/* Lays arrays out one after another, each aligned; `overflow` remembers a size that does not fit. */
typedef struct fm_layout {
    size_t bytes;
    int overflow;
} fm_layout;

/* Offset of the next array, of rows × columns elements of `size` bytes. */
size_t fm_layout_add(fm_layout *layout, ptrdiff_t rows, ptrdiff_t columns, size_t size);

/* Zeroed, aligned memory for a layout, or NULL. Free with free(). */
char *fm_layout_allocate(const fm_layout *layout);

#endif

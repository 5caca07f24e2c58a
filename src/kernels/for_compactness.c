/* The losses, whose code is large and whose share of a step is small: compiled with -O2, and with forced inlining only
 * where it specializes a function for its arguments; once for each ISA, like for_speed.c. */
#include "bodies.h"

#include "body/loss.h"
#include "body/loss_categories.h"
#include "body/loss_columns.h"
#include "body/loss_overlap.h"
#include "body/loss_pairs.h"
#include "body/loss_rows.h"

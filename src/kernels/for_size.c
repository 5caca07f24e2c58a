/* The kernels that -O3 makes half as large again, and no faster: compiled with -O2, once for each ISA, like for_speed.c. */
#include "bodies.h"

#include "body/activity.h"
#include "body/adjust.h"
#include "body/dropout.h"
#include "body/loss.h"
#include "body/loss_categories.h"
#include "body/loss_columns.h"
#include "body/loss_overlap.h"
#include "body/loss_rows.h"
#include "body/noise.h"
#include "body/normalize.h"
#include "body/row_activation.h"

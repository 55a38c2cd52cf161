// The hooks of a lifecycle policy, which plugin.c holds. What they mean: wit/lifecycle/lifecycle.wit. A hook that you do not
// have goes from here, exports.c, plugin.c and world.wit.
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "davit.h"

RESOURCE(lifecycle, operation)
RESOURCE(lifecycle, adjustment)
RESOURCE(lifecycle, event)

bool mutate(operation_t operation, adjustment_t adjustment, davit_error_t *err);
bool admit(operation_t operation, davit_error_t *err);
bool before_start(operation_t operation, davit_error_t *err);
bool after_exit(operation_t operation, int32_t status, davit_error_t *err);
bool observe(event_t event, davit_error_t *err);

#endif

// From the component's exports to the functions of lifecycle.h: what a call was given is given back when it ends.

#include "lifecycle.h"

bool exports_mutate_mutate(operation_own given_operation, adjustment_own given_adjustment, davit_error_t *err) {
  AUTO(operation_done) operation_own operation = given_operation;
  AUTO(adjustment_done) adjustment_own adjustment = given_adjustment;
  return mutate(lifecycle_borrow_operation(operation), lifecycle_borrow_adjustment(adjustment), err);
}

bool exports_admit_admit(operation_own given_operation, davit_error_t *err) {
  AUTO(operation_done) operation_own operation = given_operation;
  return admit(lifecycle_borrow_operation(operation), err);
}

bool exports_before_start_before_start(operation_own given_operation, davit_error_t *err) {
  AUTO(operation_done) operation_own operation = given_operation;
  return before_start(lifecycle_borrow_operation(operation), err);
}

bool exports_after_exit_after_exit(operation_own given_operation, int32_t status, davit_error_t *err) {
  AUTO(operation_done) operation_own operation = given_operation;
  return after_exit(lifecycle_borrow_operation(operation), status, err);
}

bool exports_observe_observe(event_own given_event, davit_error_t *err) {
  AUTO(event_done) event_own event = given_event;
  return observe(lifecycle_borrow_event(event), err);
}

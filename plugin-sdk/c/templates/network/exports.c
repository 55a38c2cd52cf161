// From the component's exports to the functions of network.h: what a call was given is given back when it ends.

#include "network.h"

bool exports_driver_plan_network(network_request_own given_request, network_plan_own given_plan, davit_error_t *err) {
  AUTO(network_request_done) network_request_own request = given_request;
  AUTO(network_plan_done) network_plan_own plan = given_plan;
  return plan_network(network_borrow_network_request(request), network_borrow_network_plan(plan), err);
}

bool exports_driver_plan_endpoint(endpoint_request_own given_request, network_view_own given_network,
                                  endpoint_plan_own given_plan, davit_error_t *err) {
  AUTO(endpoint_request_done) endpoint_request_own request = given_request;
  AUTO(network_view_done) network_view_own network = given_network;
  AUTO(endpoint_plan_done) endpoint_plan_own plan = given_plan;
  return plan_endpoint(network_borrow_endpoint_request(request), network_borrow_network_view(network),
                       network_borrow_endpoint_plan(plan), err);
}

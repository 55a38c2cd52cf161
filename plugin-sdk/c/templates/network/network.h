// The functions of a network driver, which plugin.c holds. What they mean: wit/network/network.wit.
#ifndef NETWORK_H
#define NETWORK_H

#include "davit.h"

RESOURCE(network, network_request)
RESOURCE(network, endpoint_request)
RESOURCE(network, network_plan)
RESOURCE(network, network_view)
RESOURCE(network, endpoint_plan)
RESOURCE(network, link)
RESOURCES(network, link)
RESOURCE(network, subnet)
RESOURCES(network, subnet)
RESOURCE(network, port)
RESOURCES(network, port)

bool plan_network(network_request_t request, network_plan_t plan, davit_error_t *err);
bool plan_endpoint(endpoint_request_t request, network_view_t network, endpoint_plan_t plan, davit_error_t *err);

#endif

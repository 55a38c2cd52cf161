// The default network: a bridge, a veth pair for each container, IPv4 and where asked for IPv6 addresses from the
// site's pool, masqueraded on their way out, ports published on the host, names for the network's other containers.
//
// Settings (of the request, or `[plugins.my-plugin.config]`): `mtu`; `masquerade = "false"`.

#include "network.h"

#include <stdlib.h>

static bool masqueraded(network_request_t request, bool *yes, davit_error_t *err) {
  *yes = false;
  if (network_method_network_request_internal(request)) return true;
  OPTION said = {0};
  said.is_some = network_method_network_request_setting(request, T("masquerade"), &said.val);
  if (!said.is_some && !config_get(T("masquerade"), &said, err)) return false;
  *yes = !said.is_some || text_is(said.val, "true");
  if (*yes || text_is(said.val, "false")) return true;
  TEXT word = quoted(said.val);
  return INVALID(err, "masquerade is true or false, not ", word);
}

static bool set_mtu(endpoint_request_t request, endpoint_plan_t plan, davit_error_t *err) {
  OPTION said = {0};
  said.is_some = network_method_endpoint_request_setting(request, T("mtu"), &said.val);
  if (!said.is_some && !config_get(T("mtu"), &said, err)) return false;
  uint32_t bytes;
  if (!said.is_some) return true;
  if (text_u32(said.val, &bytes)) return network_method_endpoint_plan_mtu(plan, bytes, err);
  TEXT word = quoted(said.val);
  return INVALID(err, "mtu is a number, not ", word);
}

// Leases one more subnet. The list has room for it.
static bool add_subnet(network_plan_t plan, subnets_t *subnets, text_t *cidr, bool v6, davit_error_t *err) {
  if (!network_method_network_plan_subnet(plan, cidr, v6, &subnets->ptr[subnets->len], err)) return false;
  subnets->len++;
  return true;
}

static bool any_of_family(const subnets_t *subnets, bool v6) {
  for (size_t i = 0; i < subnets->len; i++) {
    if (network_method_subnet_v6(network_borrow_subnet(subnets->ptr[i])) == v6) return true;
  }
  return false;
}

bool plan_network(network_request_t request, network_plan_t plan, davit_error_t *err) {
  AUTO(link_done) link_own bridge = {0};
  if (!network_method_network_plan_bridge(plan, &bridge, err)) return false;
  AUTO(plugin_list_string_free) texts_t asked = {0};
  network_method_network_request_subnets(request, &asked);
  // Beside those that were asked for one of each family may come.
  AUTO(subnets_done) subnets_t subnets = {.ptr = calloc(asked.len + 2, sizeof(subnet_own))};
  if (subnets.ptr == NULL) return INTERNAL(err, "out of memory");
  for (size_t i = 0; i < asked.len; i++) {
    if (!add_subnet(plan, &subnets, &asked.ptr[i], text_holds(asked.ptr[i], ":"), err)) return false;
  }
  if (!any_of_family(&subnets, false) && !add_subnet(plan, &subnets, NULL, false, err)) return false;
  if (network_method_network_request_ipv6(request) && !any_of_family(&subnets, true) &&
      !add_subnet(plan, &subnets, NULL, true, err)) {
    return false;
  }
  bool masquerade;
  if (!masqueraded(request, &masquerade, err)) return false;
  for (size_t i = 0; masquerade && i < subnets.len; i++) {
    if (!network_method_network_plan_masquerade(plan, network_borrow_subnet(subnets.ptr[i]), err)) return false;
  }
  return network_method_network_plan_isolate(plan, err);
}

static bool join_bridge(network_view_t network, endpoint_plan_t plan, davit_error_t *err) {
  AUTO(links_done) links_t links = {0};
  network_method_network_view_links(network, &links);
  for (size_t i = 0; i < links.len; i++) {
    TEXT kind = {0};
    network_method_link_kind(network_borrow_link(links.ptr[i]), &kind);
    if (text_is(kind, "bridge")) {
      return network_method_endpoint_plan_veth(plan, network_borrow_link(links.ptr[i]), err);
    }
  }
  return INVALID(err, "the network has no bridge");
}

// An address in a subnet. The first of a family has the address that was asked for and the default route; the others get
// a free address.
static bool join_subnet(endpoint_request_t request, subnet_t subnet, bool first, endpoint_plan_t plan,
                        davit_error_t *err) {
  bool v6 = network_method_subnet_v6(subnet);
  TEXT wanted = {0}, leased = {0}, gateway = {0};
  bool asked = first && SOME(wanted, network_method_endpoint_request_wanted_address(request, v6, &wanted));
  if (!network_method_endpoint_plan_lease(plan, subnet, asked ? &wanted : NULL, &leased, err)) return false;
  if (!first) return true;
  network_method_subnet_gateway(subnet, &gateway);
  return network_method_endpoint_plan_route(plan, v6 ? T("::/0") : T("0.0.0.0/0"), &gateway, err);
}

bool plan_endpoint(endpoint_request_t request, network_view_t network, endpoint_plan_t plan, davit_error_t *err) {
  if (!join_bridge(network, plan, err)) return false;
  AUTO(subnets_done) subnets_t subnets = {0};
  network_method_network_view_subnets(network, &subnets);
  bool routed[2] = {false, false};
  for (size_t i = 0; i < subnets.len; i++) {
    subnet_t subnet = network_borrow_subnet(subnets.ptr[i]);
    bool *seen = &routed[network_method_subnet_v6(subnet)];
    if (!join_subnet(request, subnet, !*seen, plan, err)) return false;
    *seen = true;
  }
  AUTO(ports_done) ports_t ports = {0};
  network_method_endpoint_request_published(request, &ports);
  for (size_t i = 0; i < ports.len; i++) {
    uint16_t outside;
    if (!network_method_endpoint_plan_publish(plan, network_borrow_port(ports.ptr[i]), &outside, err)) return false;
  }
  AUTO(plugin_list_string_free) texts_t names = {0};
  network_method_endpoint_request_aliases(request, &names);
  for (size_t i = 0; i < names.len; i++) {
    if (!network_method_endpoint_plan_record_name(plan, &names.ptr[i], err)) return false;
  }
  return set_mtu(request, plan, err);
}

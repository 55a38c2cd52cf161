// The driver's plans, over a small engine.

#include "fake.h"
#include "network.h"

#include <stdio.h>
#include <stdlib.h>

// ---- The host's functions of wit/network -------------------------------------------------------------------------------

typedef struct {
  bool internal, ipv6;
  const char *subnets[3], *masquerade;
} wanted_network;

typedef struct {
  const char *v4, *v6, *aliases[3], *ports[3], *mtu;
} wanted_endpoint;

// A link is its kind, a subnet its addresses, a port its number: texts.
typedef struct {
  const char *links[3], *subnets[4];
} made_network;

static const char *text_of(int32_t handle) { return fake_object(handle); }
static size_t length(const char *const *list) {
  size_t len = 0;
  while (list[len] != NULL) len++;
  return len;
}

static void give_texts(const char *const *from, plugin_list_string_t *to) {
  *to = (plugin_list_string_t){.ptr = calloc(length(from) + 1, sizeof(text_t)), .len = length(from)};
  for (size_t i = 0; i < to->len; i++) fake_give(from[i], &to->ptr[i]);
  if (to->len == 0) free(to->ptr);
}

#define GIVE_HANDLES(name, from, to)                                                                                    \
  *to = (name##s_t){.ptr = calloc(length(from) + 1, sizeof(name##_own)), .len = length(from)};                          \
  for (size_t i = 0; i < to->len; i++) to->ptr[i] = (name##_own){fake_lend(from[i])};                                   \
  if (to->len == 0) free(to->ptr)

bool network_method_network_request_internal(network_request_t self) {
  return ((const wanted_network *)fake_object(self.__handle))->internal;
}
bool network_method_network_request_ipv6(network_request_t self) {
  return ((const wanted_network *)fake_object(self.__handle))->ipv6;
}
void network_method_network_request_subnets(network_request_t self, plugin_list_string_t *ret) {
  give_texts(((const wanted_network *)fake_object(self.__handle))->subnets, ret);
}
bool network_method_network_request_setting(network_request_t self, text_t *key, text_t *ret) {
  CHECK(text_is(*key, "masquerade"));
  return fake_give(((const wanted_network *)fake_object(self.__handle))->masquerade, ret);
}

bool network_method_network_plan_bridge(network_plan_t self, link_own *ret, davit_error_t *err) {
  fake_object(self.__handle);
  bool ok = FAKE_RECORDED(err, "bridge");
  if (ok) ret->__handle = fake_lend("bridge");
  return ok;
}
bool network_method_network_plan_subnet(network_plan_t self, text_t *cidr, bool v6, subnet_own *ret, davit_error_t *err) {
  fake_object(self.__handle);
  bool ok = FAKE_RECORDED(err, "subnet", cidr == NULL ? text("any") : *cidr, v6 ? "v6" : "v4");
  if (ok) ret->__handle = fake_lend(v6 ? "fd88::/64" : "10.88.0.0/24");
  return ok;
}
bool network_method_network_plan_masquerade(network_plan_t self, network_borrow_subnet_t subnet, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "masquerade", text_of(subnet.__handle));
}
bool network_method_network_plan_isolate(network_plan_t self, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "isolate");
}

void network_method_network_view_links(network_view_t self, links_t *ret) {
  GIVE_HANDLES(link, ((const made_network *)fake_object(self.__handle))->links, ret);
}
void network_method_network_view_subnets(network_view_t self, subnets_t *ret) {
  GIVE_HANDLES(subnet, ((const made_network *)fake_object(self.__handle))->subnets, ret);
}
void network_method_link_kind(link_t self, text_t *ret) { fake_give(text_of(self.__handle), ret); }
bool network_method_subnet_v6(subnet_t self) { return text_holds(text(text_of(self.__handle)), ":"); }
void network_method_subnet_gateway(subnet_t self, text_t *ret) { *ret = JOIN("gw-of-", text_of(self.__handle)); }

void network_method_endpoint_request_aliases(endpoint_request_t self, plugin_list_string_t *ret) {
  give_texts(((const wanted_endpoint *)fake_object(self.__handle))->aliases, ret);
}
bool network_method_endpoint_request_wanted_address(endpoint_request_t self, bool v6, text_t *ret) {
  const wanted_endpoint *wanted = fake_object(self.__handle);
  return fake_give(v6 ? wanted->v6 : wanted->v4, ret);
}
void network_method_endpoint_request_published(endpoint_request_t self, ports_t *ret) {
  GIVE_HANDLES(port, ((const wanted_endpoint *)fake_object(self.__handle))->ports, ret);
}
bool network_method_endpoint_request_setting(endpoint_request_t self, text_t *key, text_t *ret) {
  CHECK(text_is(*key, "mtu"));
  return fake_give(((const wanted_endpoint *)fake_object(self.__handle))->mtu, ret);
}

bool network_method_endpoint_plan_veth(endpoint_plan_t self, link_t master, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "veth", text_of(master.__handle));
}
bool network_method_endpoint_plan_lease(endpoint_plan_t self, subnet_t subnet, text_t *wanted, text_t *ret,
                                        davit_error_t *err) {
  fake_object(self.__handle);
  bool ok = FAKE_RECORDED(err, "lease", text_of(subnet.__handle), wanted == NULL ? text("any") : *wanted);
  if (ok) fake_give("an address", ret);
  return ok;
}
bool network_method_endpoint_plan_route(endpoint_plan_t self, text_t *dst, text_t *via, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "route", *dst, *via);
}
bool network_method_endpoint_plan_publish(endpoint_plan_t self, port_t port, uint16_t *ret, davit_error_t *err) {
  fake_object(self.__handle);
  *ret = 1;
  return FAKE_RECORDED(err, "publish", text_of(port.__handle));
}
bool network_method_endpoint_plan_record_name(endpoint_plan_t self, text_t *name, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "name", *name);
}
bool network_method_endpoint_plan_mtu(endpoint_plan_t self, uint32_t bytes, davit_error_t *err) {
  fake_object(self.__handle);
  TEXT number = digits(bytes);
  return FAKE_RECORDED(err, "mtu", number);
}

#define HANDLE_FUNCTIONS(name)                                                                                          \
  name##_t network_borrow_##name(name##_own own) { return (name##_t){own.__handle}; }                                   \
  void network_##name##_drop_own(name##_own own) { fake_back(own.__handle); }
#define LIST_FUNCTIONS(name)                                                                                            \
  HANDLE_FUNCTIONS(name)                                                                                                \
  void network_list_own_##name##_free(name##s_t *list) {                                                                \
    if (list->len > 0) free(list->ptr);                                                                                 \
  }
HANDLE_FUNCTIONS(network_request)
HANDLE_FUNCTIONS(endpoint_request)
HANDLE_FUNCTIONS(network_plan)
HANDLE_FUNCTIONS(network_view)
HANDLE_FUNCTIONS(endpoint_plan)
LIST_FUNCTIONS(link)
LIST_FUNCTIONS(subnet)
LIST_FUNCTIONS(port)

// ---- Calls as the host makes them --------------------------------------------------------------------------------------

static davit_error_t error;

static bool network(wanted_network wanted) {
  return exports_driver_plan_network((network_request_own){fake_lend(&wanted)}, (network_plan_own){fake_lend("plan")},
                                     &error);
}

static bool endpoint(wanted_endpoint wanted, made_network on) {
  return exports_driver_plan_endpoint((endpoint_request_own){fake_lend(&wanted)}, (network_view_own){fake_lend(&on)},
                                      (endpoint_plan_own){fake_lend("plan")}, &error);
}

static void a_network_has_a_subnet_of_each_family_that_is_wanted(void) {
  WENT_WELL(network((wanted_network){0}), &error, "bridge\nsubnet any v4\nmasquerade 10.88.0.0/24\nisolate\n");
  WENT_WELL(network((wanted_network){.ipv6 = true}), &error,
            "bridge\nsubnet any v4\nsubnet any v6\nmasquerade 10.88.0.0/24\nmasquerade fd88::/64\nisolate\n");
  WENT_WELL(network((wanted_network){.internal = true, .ipv6 = true, .subnets = {"10.1.0.0/24", "fd01::/64"}}), &error,
            "bridge\nsubnet 10.1.0.0/24 v4\nsubnet fd01::/64 v6\nisolate\n");
}

static void masquerading_is_the_requests_word_or_the_sites(void) {
  fake_config("masquerade", "false");
  WENT_WELL(network((wanted_network){0}), &error, "bridge\nsubnet any v4\nisolate\n");
  fake_config("masquerade", "false");
  WENT_WELL(network((wanted_network){.masquerade = "true"}), &error,
            "bridge\nsubnet any v4\nmasquerade 10.88.0.0/24\nisolate\n");
  FAILED(network((wanted_network){.masquerade = "a \"b\"\n"}), &error, DAVIT_ERROR_INVALID,
         "masquerade is true or false, not \"a \\\"b\\\"\\n\"");
}

static void an_endpoint_has_an_address_of_each_subnet_and_a_route_of_each_family(void) {
  made_network on = {.links = {"vlan", "bridge"}, .subnets = {"10.1.0.0/24", "10.2.0.0/24", "fd01::/64"}};
  WENT_WELL(endpoint((wanted_endpoint){.v4 = "10.1.0.9"}, on), &error,
            "veth bridge\nlease 10.1.0.0/24 10.1.0.9\nroute 0.0.0.0/0 gw-of-10.1.0.0/24\nlease 10.2.0.0/24 any\n"
            "lease fd01::/64 any\nroute ::/0 gw-of-fd01::/64\n");
  FAILED(endpoint((wanted_endpoint){0}, (made_network){.links = {"vlan"}}), &error, DAVIT_ERROR_INVALID,
         "the network has no bridge");
}

static void ports_names_and_mtu_are_what_was_asked_for(void) {
  made_network on = {.links = {"bridge"}};
  WENT_WELL(endpoint((wanted_endpoint){.ports = {"80", "443"}, .aliases = {"web"}, .mtu = "1400"}, on), &error,
            "veth bridge\npublish 80\npublish 443\nname web\nmtu 1400\n");
  fake_config("mtu", "4294967296");
  FAILED(endpoint((wanted_endpoint){0}, on), &error, DAVIT_ERROR_INVALID, "mtu is a number, not \"4294967296\"");
  fake_refuse("publish");
  FAILED(endpoint((wanted_endpoint){.ports = {"80"}}, on), &error, DAVIT_ERROR_CONFLICT, "the host refuses publish");
}

int main(void) {
  a_network_has_a_subnet_of_each_family_that_is_wanted();
  masquerading_is_the_requests_word_or_the_sites();
  an_endpoint_has_an_address_of_each_subnet_and_a_route_of_each_family();
  ports_names_and_mtu_are_what_was_asked_for();
  puts("4 tests passed");
  return 0;
}

import unittest

import fake_host
from fake_host import Fake, failing, refused, reset

from plugin import Driver
from wit_world.imports import types


class Network(unittest.TestCase):
    def setUp(self) -> None:
        reset()
        self.driver = Driver()
        self.v4 = Fake(v6=False, gateway="10.99.0.1")
        self.v6 = Fake(v6=True, gateway="fd99::1")
        self.bridge = Fake(kind="bridge")

    def planned(self, **wishes):
        plan = Fake(subnet=lambda cidr, v6: self.v6 if v6 else self.v4)
        self.driver.plan_network(Fake(**{"internal": False, "ipv6": False, "subnets": [], **wishes}), plan)
        return plan.calls

    def connected(self, *subnets, plan=None, **wishes):
        plan = plan or Fake()
        network = Fake(links=[Fake(kind="vlan"), self.bridge], subnets=subnets)
        self.driver.plan_endpoint(Fake(**{"published": [], "aliases": [], **wishes}), network, plan)
        return plan.calls

    def test_a_network_is_a_bridge_with_a_subnet_of_the_pool_masqueraded_and_isolated(self) -> None:
        calls = [("bridge",), ("subnet", None, False), ("masquerade", self.v4), ("isolate",)]
        self.assertEqual(self.planned(), calls)

    def test_subnets_that_were_asked_for_are_leased_and_what_is_missing_comes_from_the_pool(self) -> None:
        calls = [("bridge",), ("subnet", "fd77::/64", True), ("subnet", None, False), ("isolate",)]
        self.assertEqual(self.planned(subnets=["fd77::/64"], ipv6=True, internal=True), calls)

    def test_the_requests_setting_goes_before_the_sites_and_nonsense_is_refused(self) -> None:
        fake_host.config["masquerade"] = "false"
        self.assertNotIn("masquerade", [name for name, *_ in self.planned()])
        error = refused(self.planned, setting="maybe")
        self.assertEqual(error, types.Error_Invalid('masquerade is true or false, not "maybe"'))

    def test_an_endpoint_has_an_address_in_every_subnet_and_a_default_route_for_each_family(self) -> None:
        second, port = Fake(v6=False, gateway="10.98.0.1"), Fake()
        calls = self.connected(
            self.v4,
            second,
            self.v6,
            wanted_address=lambda v6: None if v6 else "10.99.0.7",
            published=[port],
            aliases=["db"],
            setting=lambda key: "1400" if key == "mtu" else None,
        )
        self.assertEqual(
            calls,
            [
                ("veth", self.bridge),
                ("lease", self.v4, "10.99.0.7"),
                ("route", "0.0.0.0/0", "10.99.0.1"),
                ("lease", second, None),
                ("lease", self.v6, None),
                ("route", "::/0", "fd99::1"),
                ("publish", port),
                ("record_name", "db"),
                ("mtu", 1400),
            ],
        )

    def test_an_mtu_that_is_no_number_is_refused_as_is_a_network_without_a_bridge(self) -> None:
        for mtu in ["", "big", "1e3", "-1", "1_500", "4294967296", "9" * 5000]:
            error = refused(self.connected, setting=mtu)
            self.assertEqual(error, types.Error_Invalid(f'mtu is a number, not "{mtu}"'))
        error = refused(self.driver.plan_endpoint, Fake(), Fake(links=[]), Fake())
        self.assertEqual(error, types.Error_Invalid("the network has no bridge"))

    def test_the_hosts_error_is_handed_on_whole(self) -> None:
        full = types.Error_Unavailable(types.Unavailability(0, "nothing is free"))
        self.assertEqual(refused(self.connected, self.v4, plan=Fake(lease=failing(full))), full)

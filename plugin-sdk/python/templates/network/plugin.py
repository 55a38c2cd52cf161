"""
The default network: a bridge, a veth pair for each container, IPv4 and where asked for IPv6 addresses from the site's
pool, masqueraded on their way out, ports published on the host, names for the network's other containers.

Settings (of the request, or `[plugins.my-plugin.config]`): `mtu`; `masquerade = "false"`.
"""

from __future__ import annotations

import re

from davit import Invalid, guarded, quoted
from wit_world import exports
from wit_world.imports import config, host

LARGEST = 2**32 - 1


def masqueraded(request: host.NetworkRequest) -> bool:
    if request.internal():
        return False
    said = request.setting("masquerade")
    if said is None:
        said = config.get("masquerade")
    if said not in (None, "true", "false"):
        raise Invalid(f"masquerade is true or false, not {quoted(said)}")
    return said != "false"


def mtu_of(request: host.EndpointRequest) -> int | None:
    said = request.setting("mtu")
    if said is None:
        said = config.get("mtu")
    if said is None:
        return None
    if not re.fullmatch(r"\+?[0-9]{1,100}", said) or int(said) > LARGEST:
        raise Invalid(f"mtu is a number, not {quoted(said)}")
    return int(said)


@guarded
class Driver(exports.Driver):
    def plan_network(self, request: host.NetworkRequest, plan: host.NetworkPlan) -> None:
        plan.bridge()
        subnets = [plan.subnet(cidr, ":" in cidr) for cidr in request.subnets()]
        if all(subnet.v6() for subnet in subnets):
            subnets.append(plan.subnet(None, False))
        if request.ipv6() and not any(subnet.v6() for subnet in subnets):
            subnets.append(plan.subnet(None, True))
        if masqueraded(request):
            for subnet in subnets:
                plan.masquerade(subnet)
        plan.isolate()

    def plan_endpoint(
        self, request: host.EndpointRequest, network: host.NetworkView, plan: host.EndpointPlan
    ) -> None:
        bridge = next((link for link in network.links() if link.kind() == "bridge"), None)
        if bridge is None:
            raise Invalid("the network has no bridge")
        plan.veth(bridge)
        routed = set()
        for subnet in network.subnets():
            v6 = subnet.v6()
            first = v6 not in routed
            routed.add(v6)
            # An address that was asked for is of the first subnet of its family; the others get a free one.
            plan.lease(subnet, request.wanted_address(v6) if first else None)
            if first:
                plan.route("::/0" if v6 else "0.0.0.0/0", subnet.gateway())
        for port in request.published():
            plan.publish(port)
        for name in request.aliases():
            plan.record_name(name)
        mtu = mtu_of(request)
        if mtu is not None:
            plan.mtu(mtu)

// The default network: a bridge, a veth pair for each container, IPv4 and where asked for IPv6 addresses from the
// site's pool, masqueraded on their way out, ports published on the host, names for the network's other containers.
//
// Settings (of the request, or `[plugins.my-plugin.config]`): `mtu`; `masquerade = "false"`.

import { get } from 'davit:host/config@0.1.0';
import { guarded, invalid, quoted } from './davit.js';

const LARGEST = 2 ** 32 - 1;

function masqueraded(request) {
  if (request.internal()) {
    return false;
  }
  const said = request.setting('masquerade') ?? get('masquerade');
  if (said !== undefined && said !== 'true' && said !== 'false') {
    throw invalid(`masquerade is true or false, not ${quoted(said)}`);
  }
  return said !== 'false';
}

function mtuOf(request) {
  const said = request.setting('mtu') ?? get('mtu');
  if (said === undefined) {
    return undefined;
  }
  if (!/^\+?[0-9]+$/.test(said) || Number(said) > LARGEST) {
    throw invalid(`mtu is a number, not ${quoted(said)}`);
  }
  return Number(said);
}

export const driver = guarded({
  planNetwork(request, plan) {
    plan.bridge();
    const subnets = request.subnets().map((cidr) => plan.subnet(cidr, cidr.includes(':')));
    if (!subnets.some((subnet) => !subnet.v6())) {
      subnets.push(plan.subnet(undefined, false));
    }
    if (request.ipv6() && !subnets.some((subnet) => subnet.v6())) {
      subnets.push(plan.subnet(undefined, true));
    }
    if (masqueraded(request)) {
      subnets.forEach((subnet) => plan.masquerade(subnet));
    }
    plan.isolate();
  },

  planEndpoint(request, network, plan) {
    const bridge = network.links().find((link) => link.kind() === 'bridge');
    if (bridge === undefined) {
      throw invalid('the network has no bridge');
    }
    plan.veth(bridge);
    const routed = new Set();
    for (const subnet of network.subnets()) {
      const v6 = subnet.v6();
      const first = !routed.has(v6);
      routed.add(v6);
      // An address that was asked for is of the first subnet of its family; the others get a free one.
      plan.lease(subnet, first ? request.wantedAddress(v6) : undefined);
      if (first) {
        plan.route(v6 ? '::/0' : '0.0.0.0/0', subnet.gateway());
      }
    }
    request.published().forEach((port) => plan.publish(port));
    request.aliases().forEach((name) => plan.recordName(name));
    const mtu = mtuOf(request);
    if (mtu !== undefined) {
      plan.mtu(mtu);
    }
  },
});

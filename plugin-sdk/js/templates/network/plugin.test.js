import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { fake, host, hostError, reset } from './fake-host.js';
import { driver } from './plugin.js';

const subnet = (v6, gateway) => fake({ v6, gateway });
const v4 = subnet(false, '10.99.0.1');
const v6 = subnet(true, 'fd99::1');
const bridge = fake({ kind: 'bridge' });

const wish = (wishes) => fake({ internal: false, ipv6: false, subnets: [], ...wishes });
const networkPlan = () => fake({ subnet: (cidr, six) => (six ? v6 : v4) });
const endpoint = (wishes) => fake({ published: [], aliases: [], ...wishes });
const network = (...subnets) => fake({ links: [fake({ kind: 'vlan' }), bridge], subnets });

beforeEach(reset);

test('a network is a bridge with a subnet of the pool, masqueraded and isolated', async () => {
  const plan = networkPlan();
  await driver.planNetwork(wish(), plan);
  assert.deepEqual(plan.calls, [['bridge'], ['subnet', undefined, false], ['masquerade', v4], ['isolate']]);
});

test('subnets that were asked for are leased, and what is missing comes from the pool', async () => {
  const plan = networkPlan();
  await driver.planNetwork(wish({ subnets: ['fd77::/64'], ipv6: true, internal: true }), plan);
  assert.deepEqual(plan.calls, [['bridge'], ['subnet', 'fd77::/64', true], ['subnet', undefined, false], ['isolate']]);
});

test("the request's setting goes before the site's, and nonsense is refused", async () => {
  host.config = { masquerade: 'false' };
  const plan = networkPlan();
  await driver.planNetwork(wish(), plan);
  assert.ok(!plan.calls.some(([name]) => name === 'masquerade'));
  const refused = driver.planNetwork(wish({ setting: 'maybe' }), networkPlan());
  await assert.rejects(refused, { payload: { tag: 'invalid', val: 'masquerade is true or false, not "maybe"' } });
});

test('an endpoint has an address in every subnet, and a default route for each family', async () => {
  const [second, port, plan] = [subnet(false, '10.98.0.1'), fake(), fake()];
  const request = endpoint({
    wantedAddress: (six) => (six ? undefined : '10.99.0.7'),
    published: [port],
    aliases: ['db'],
    setting: (key) => (key === 'mtu' ? '1400' : undefined),
  });
  await driver.planEndpoint(request, network(v4, second, v6), plan);
  assert.deepEqual(plan.calls, [
    ['veth', bridge],
    ['lease', v4, '10.99.0.7'],
    ['route', '0.0.0.0/0', '10.99.0.1'],
    ['lease', second, undefined],
    ['lease', v6, undefined],
    ['route', '::/0', 'fd99::1'],
    ['publish', port],
    ['recordName', 'db'],
    ['mtu', 1400],
  ]);
});

test('an MTU that is no number is refused, as is a network without a bridge', async () => {
  for (const mtu of ['', 'big', '1e3', '-1', '4294967296']) {
    const refused = driver.planEndpoint(endpoint({ setting: mtu }), network(), fake());
    await assert.rejects(refused, { payload: { tag: 'invalid', val: `mtu is a number, not "${mtu}"` } });
  }
  const refused = driver.planEndpoint(endpoint(), fake({ links: [] }), fake());
  await assert.rejects(refused, { payload: { tag: 'invalid', val: 'the network has no bridge' } });
});

test("the host's error is handed on whole", async () => {
  const full = fake({ lease: () => { throw hostError('unavailable', { retryMs: 0n, message: 'nothing is free' }); } });
  const refused = driver.planEndpoint(endpoint(), network(v4), full);
  await assert.rejects(refused, { payload: { tag: 'unavailable', val: { retryMs: 0n, message: 'nothing is free' } } });
});

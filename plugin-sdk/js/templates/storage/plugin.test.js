import assert from 'node:assert/strict';
import test from 'node:test';
import { guarded } from './davit.js';
import { fake, hostError } from './fake-host.js';
import { driver } from './plugin.js';

const base = fake({ chainId: 'aa', place: 't-aa' });

test('a base layer is written into an empty folder', async () => {
  const [steps, unpack] = [fake(), fake()];
  await driver.prepareLayer(fake({ chainId: 'aa' }), steps, unpack);
  assert.deepEqual(steps.calls, [['makeDir', 'aa.part']]);
  assert.deepEqual(unpack.calls, [['into', 'aa.part'], ['needsParentFirst'], ['whiteouts', 'apply']]);
});

test('a layer begins as a copy of its parent', async () => {
  const steps = fake();
  await driver.prepareLayer(fake({ chainId: 'bb', parent: base }), steps, fake());
  assert.deepEqual(steps.calls, [['cloneTree', 't-aa', 'bb.part']]);
});

test('a committed layer has its final name', async () => {
  const steps = fake();
  assert.equal(await driver.commitLayer(fake({ chainId: 'bb' }), steps), 't-bb');
  assert.deepEqual(steps.calls, [['rename', 'bb.part', 't-bb']]);
});

test('a root is a writable copy of the top layer', async () => {
  const [steps, root] = [fake(), fake()];
  await driver.prepareRoot('c0', base, steps, root);
  assert.deepEqual([...steps.calls, ...root.calls], [['cloneTree', 't-aa', 'r-c0'], ['tree', 'r-c0', true]]);
});

test('a root on a layer that is not committed is refused', async () => {
  const made = driver.prepareRoot('c0', fake({ chainId: 'bb' }), fake(), fake());
  await assert.rejects(made, { payload: { tag: 'invalid', val: 'layer bb is not committed' } });
});

test("a container's changes become a layer, and a layer that was never committed can be removed", async () => {
  const steps = fake();
  assert.equal(await driver.promote('c0', fake({ chainId: 'cc' }), steps), 't-cc');
  await driver.removeLayer(base, steps);
  await driver.removeLayer(fake({ chainId: 'dd' }), steps);
  assert.deepEqual(steps.calls, [['rename', 'r-c0', 't-cc'], ['discard', 't-aa'], ['discard', 'dd.part']]);
});

test("the host's error is handed on, and a mistake becomes internal", async () => {
  const refusing = fake({ rename: () => { throw hostError('conflict', 't-aa is there'); } });
  await assert.rejects(driver.commitLayer(base, refusing), { payload: { tag: 'conflict', val: 't-aa is there' } });
  const broken = driver.commitLayer(fake({ chainId: () => { throw new TypeError('oops'); } }), fake());
  await assert.rejects(broken, { payload: { tag: 'internal', val: 'TypeError: oops' } });
});

test('a place that is no text is internal', async () => {
  const { promote } = guarded({ promote() {} });
  await assert.rejects(promote(), { payload: { tag: 'internal', val: 'promote answers a text, not undefined' } });
});

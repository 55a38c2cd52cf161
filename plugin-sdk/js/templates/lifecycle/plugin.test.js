import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { fake, host, hostError, reset } from './fake-host.js';
import { admit, afterExit, beforeStart, mutate, observe } from './plugin.js';

const operation = (facts) => fake({ kind: 'container.create', image: 'docker.io/library/alpine', ...facts });

beforeEach(reset);

test('a container without a team gets the label of the site', async () => {
  host.config = { team: 'web' };
  const adjustment = fake();
  await mutate.mutate(operation(), adjustment);
  assert.deepEqual(adjustment.calls, [['set', '/labels/team', '"web"']]);
});

test('nothing is changed where the label is there, nothing is created, or the site says nothing', async () => {
  const adjustment = fake();
  await mutate.mutate(operation(), adjustment);
  host.config = { team: 'web' };
  await mutate.mutate(operation({ field: '"db"' }), adjustment);
  await mutate.mutate(operation({ kind: 'container.start' }), adjustment);
  assert.deepEqual(adjustment.calls, []);
});

test('images that begin with a refused text are neither pulled nor run', async () => {
  host.config = { refuse: '["quay.io/","docker.io/"]' };
  const val = 'image docker.io/library/alpine is refused: images that begin with docker.io/ are';
  for (const kind of ['image.pull', 'container.create']) {
    await assert.rejects(admit.admit(operation({ kind })), { payload: { tag: 'denied', val } });
  }
  await admit.admit(operation({ kind: 'image.remove' }));
  await admit.admit(operation({ image: 'registry.example/alpine' }));
  await admit.admit(operation({ image: undefined }));
});

test('a list that is none is said to be none', async () => {
  for (const refuse of ['docker.io/', '{}', '[1]']) {
    host.config = { refuse };
    await assert.rejects(admit.admit(operation()), { payload: { tag: 'invalid', val: 'refuse is a list of texts' } });
  }
});

test('privileged containers start unless the site says never', async () => {
  await beforeStart.beforeStart(operation({ privileged: true }));
  host.config = { privileged: 'never' };
  await beforeStart.beforeStart(operation({ privileged: false }));
  const refused = beforeStart.beforeStart(operation({ privileged: true }));
  await assert.rejects(refused, { payload: { tag: 'denied', val: 'privileged containers are not started here' } });
});

test('ends and events are logged', async () => {
  await afterExit.afterExit(operation(), 137);
  await observe.observe(fake({ kind: 'container.die', actor: 'c0' }));
  assert.deepEqual(host.lines, [['info', 'a container ended with 137'], ['info', 'container.die c0']]);
});

test('a right that was not granted is said by the host', async () => {
  host.config = { team: 'web' };
  const adjustment = fake({ set: () => { throw hostError('denied', '/labels/team'); } });
  await assert.rejects(mutate.mutate(operation(), adjustment), { payload: { tag: 'denied', val: '/labels/team' } });
});

// What this site wants to happen around a container's life.
//
//     [plugins.my-plugin.config]
//     team = "web"                     # a label for every container that has none of that name
//     refuse = ["docker.io/"]          # images that begin with one of these are neither pulled nor run
//     privileged = "never"             # absent: privileged containers start

import { get } from 'davit:host/config@0.1.0';
import { denied, guarded, invalid, log } from './davit.js';

/** The texts of a list in the site's file, where they come as JSON. */
function listOf(json) {
  try {
    const list = JSON.parse(json);
    if (Array.isArray(list) && list.every((entry) => typeof entry === 'string')) {
      return list;
    }
  } catch {
    // No JSON is no list either.
  }
  throw invalid('refuse is a list of texts');
}

export const mutate = guarded({
  mutate(operation, adjustment) {
    const team = get('team');
    if (team === undefined) {
      return;
    }
    if (operation.kind() === 'container.create' && operation.field('/labels/team') === undefined) {
      adjustment.set('/labels/team', JSON.stringify(team));
    }
  },
});

export const admit = guarded({
  admit(operation) {
    if (!['image.pull', 'container.create'].includes(operation.kind())) {
      return;
    }
    const [image, list] = [operation.image(), get('refuse')];
    if (image === undefined || list === undefined) {
      return;
    }
    const start = listOf(list).find((refused) => image.startsWith(refused));
    if (start !== undefined) {
      throw denied(`image ${image} is refused: images that begin with ${start} are`);
    }
  },
});

export const beforeStart = guarded({
  beforeStart(operation) {
    if (operation.privileged() && get('privileged') === 'never') {
      throw denied('privileged containers are not started here');
    }
  },
});

export const afterExit = guarded({
  afterExit(_operation, status) {
    log.info(`a container ended with ${status}`);
  },
});

export const observe = guarded({
  observe(event) {
    log.info(`${event.kind()} ${event.actor()}`);
  },
});

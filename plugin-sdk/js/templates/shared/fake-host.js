// A small fake of the host, for `npm test`: the modules `davit:host/…` that the policy imports, and objects that write
// down what the policy did with them. Loaded in front of the test by `node --import`.

import { register } from 'node:module';

/** What the fake answers and what it was told. `reset` empties it. */
export const host = { config: {}, lines: [], requests: [], response: undefined };

export function reset() {
  Object.assign(host, { config: {}, lines: [], requests: [], response: undefined });
}

/** An error as the host throws it. */
export function hostError(tag, val) {
  return Object.assign(new Error(String(val)), { payload: { tag, val } });
}

/**
 * An object with every method that there could be: each writes its name and arguments into `calls` and answers what
 * `answers` has for it, a value or a function.
 */
export function fake(answers = {}) {
  const calls = [];
  const method = (name) => (...args) => {
    calls.push([name, ...args]);
    const answer = answers[name];
    return typeof answer === 'function' ? answer(...args) : answer;
  };
  return new Proxy({}, {
    get: (_, name) => (name === 'calls' ? calls : typeof name === 'symbol' ? undefined : method(name)),
  });
}

class Request {
  constructor(method, url) {
    const request = fake({ send: () => host.response });
    request.calls.push([method, url]);
    host.requests.push(request.calls);
    return request;
  }
}

const modules = {
  'davit:host/log@0.1.0': { write: (level, text) => host.lines.push([level, text]) },
  'davit:host/config@0.1.0': { get: (key) => host.config[key] },
  'davit:host/http@0.1.0': { Request },
};

globalThis[Symbol.for('davit')] = modules;
const names = Object.fromEntries(Object.entries(modules).map(([url, module]) => [url, Object.keys(module)]));
const hooks = `
  const names = ${JSON.stringify(names)};
  export const resolve = (name, context, next) =>
    name in names ? { url: name, format: 'module', shortCircuit: true } : next(name, context);
  export const load = (url, context, next) => {
    if (!(url in names)) return next(url, context);
    const of = (name) => 'export const ' + name + " = globalThis[Symbol.for('davit')]['" + url + "']." + name;
    return { format: 'module', shortCircuit: true, source: names[url].map(of).join(';') };
  };`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

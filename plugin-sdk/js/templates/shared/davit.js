// The contract's errors, the log, and what keeps a mistake in the policy from ending the instance. Knows no kind of
// plugin.

import { write } from 'davit:host/log@0.1.0';

const TAGS = ['invalid', 'not-found', 'conflict', 'denied', 'unsupported', 'unavailable', 'internal', 'other'];

// Functions that answer a text. What else they answered would end the instance while it is handed to the host.
const TEXTS = ['commitLayer', 'promote'];

const dispose = Symbol.dispose ?? Symbol.for('dispose');

/** An error of the contract: `payload` is what the host gets, as with the errors that the host itself throws. */
export class PluginError extends Error {
  name = 'PluginError';

  constructor(tag, text, value = String(text)) {
    super(text);
    this.payload = { tag, val: value };
  }
}

/** The request makes no sense. */
export const invalid = (text) => new PluginError('invalid', text);
/** Something that the request names does not exist. */
export const notFound = (text) => new PluginError('not-found', text);
/** The request collides with what is there. */
export const conflict = (text) => new PluginError('conflict', text);
/** Policy says no. */
export const denied = (text) => new PluginError('denied', text);
/** This policy cannot do it. */
export const unsupported = (text) => new PluginError('unsupported', text);
/** Try again later: after so many milliseconds, 0 where that is unknown. */
export const unavailable = (text, retryMs = 0n) =>
  new PluginError('unavailable', text, { retryMs: BigInt(retryMs), message: String(text) });
/** The policy is broken. */
export const internal = (text) => new PluginError('internal', text);
/** Anything else. */
export const other = (text) => new PluginError('other', text);

/** Which error of the contract was thrown, by the policy or by the host: `denied`, `not-found`, … */
export const tag = (error) => error?.payload?.tag;

/** A text between quotation marks, for messages. */
export const quoted = (text) => JSON.stringify(text);

/** Lines for the plugin's log. */
export const log = {
  info: (text) => write('info', text),
  warn: (text) => write('warn', text),
};

/**
 * The functions of one exported interface, made safe: whatever is thrown becomes an error of the contract, `internal`
 * for what is none. Handles that the call was given are given back.
 */
export function guarded(functions) {
  const safe = ([name, policy]) => [name, guard(name, policy.bind(functions))];
  return Object.fromEntries(Object.entries(functions).map(safe));
}

function guard(name, policy) {
  return async (...args) => {
    try {
      const answer = await policy(...args);
      if (TEXTS.includes(name) && typeof answer !== 'string') {
        throw internal(`${name} answers a text, not ${typeof answer}`);
      }
      return answer;
    } catch (error) {
      if (TAGS.includes(tag(error))) {
        throw error;
      }
      log.warn(`${name}: ${error}\n${error?.stack ?? ''}`);
      throw internal(String(error));
    } finally {
      args.forEach((arg) => arg?.[dispose]?.());
    }
  };
}

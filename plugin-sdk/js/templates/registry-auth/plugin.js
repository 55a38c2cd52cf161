// How this site logs in to registries: with the credential that the caller sent, else anonymously; tokens are fetched
// from the realm that the registry names (distribution token specification).
//
//     [plugins.my-plugin.config]
//     mirror = "https://mirror.example"    # asked first; absent: the registry itself
//     digest = "required"                  # only what is pinned by a digest; absent: everything

import { get } from 'davit:host/config@0.1.0';
import { Request } from 'davit:host/http@0.1.0';
import { denied, guarded, invalid, log, other, quoted, tag, unavailable, unsupported } from './davit.js';

/** The token specification's default, which registries rely on. */
const DEFAULT_SECONDS = 60;
/** A token is asked for anew this long before it ends, so that it does not end on its way. */
const MARGIN = 5;
const CLIENT = 'davit';

const U32 = 2n ** 32n - 1n;
const U64 = 2n ** 64n - 1n;

/** A whole number that a host's integer can hold; undefined for every other text. */
function whole(text, largest) {
  const number = /^\+?[0-9]+$/.test(text ?? '') ? BigInt(text.replace('+', '')) : undefined;
  return number <= largest ? number : undefined;
}

function basic(challenge, answer) {
  const credential = challenge.offered();
  if (credential === undefined) {
    const registry = challenge.registry();
    throw denied(`${registry} wants a login, and there is no credential for it; run: davit login ${registry}`);
  }
  refuseSecondTry(challenge);
  answer.basic(credential);
}

/** The same credential would be refused again. */
function refuseSecondTry(challenge) {
  if (challenge.attempt() > 2) {
    throw denied(`${challenge.registry()} refused the credential`);
  }
}

/** `repository:NAME:ACTIONS`, as the registry asked for it or as we need it. */
function scopeOf(challenge) {
  const asked = challenge.param('scope');
  if (asked !== undefined) {
    return asked;
  }
  const actions = challenge.actions().join(',');
  const repository = challenge.repository();
  return repository === undefined ? undefined : `repository:${repository}:${actions}`;
}

/** Percent-encoding for a query (RFC 3986, everything but unreserved characters). */
function encoded(text) {
  const rest = (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, rest);
}

function askByGet(challenge, realm, credential) {
  const query = [
    ['service', challenge.param('service')],
    ...(scopeOf(challenge)?.split(' ') ?? []).map((scope) => ['scope', scope]),
    ['account', credential?.user()],
    ['client_id', CLIENT],
  ];
  const said = query.filter(([, value]) => value !== undefined).map(([key, value]) => `${key}=${encoded(value)}`);
  const request = new Request('GET', `${realm}${realm.includes('?') ? '&' : '?'}${said.join('&')}`);
  if (credential !== undefined) {
    request.basic(credential);
  }
  return request.send();
}

function askByRefresh(challenge, realm, credential) {
  const request = new Request('POST', realm);
  request.form('grant_type', 'refresh_token');
  request.form('client_id', CLIENT);
  const service = challenge.param('service');
  if (service !== undefined) {
    request.form('service', service);
  }
  const scope = scopeOf(challenge);
  if (scope !== undefined) {
    request.form('scope', scope);
  }
  request.formCredential('refresh_token', credential);
  return request.send();
}

function checkStatus(response, realm) {
  const status = response.status();
  if (status >= 200 && status <= 299) {
    return;
  }
  if (status === 401 || status === 403) {
    throw denied(`the token server ${realm} refused the credential`);
  }
  if (status === 429 || (status >= 500 && status <= 599)) {
    const seconds = whole(response.header('retry-after'), U64 / 1000n) ?? 1n;
    throw unavailable(`the token server ${realm} answered ${status}`, seconds * 1000n);
  }
  throw other(`the token server ${realm} answered ${status}`);
}

function secondsOf(response) {
  const said = Number(whole(response.json('/expires_in'), U32) ?? DEFAULT_SECONDS);
  return Math.max(said - MARGIN, 0);
}

function tokenOf(response) {
  try {
    return response.takeSecret('/token');
  } catch (error) {
    if (tag(error) !== 'not-found') {
      throw error;
    }
    return response.takeSecret('/access_token');
  }
}

function bearer(challenge, answer) {
  const credential = challenge.offered();
  if (credential?.kind() === 'registry-token') {
    refuseSecondTry(challenge);
    answer.bearerCredential(credential, 0);
    return;
  }
  const realm = challenge.param('realm');
  if (realm === undefined) {
    throw invalid(`${challenge.registry()} asks for a token and names no realm`);
  }
  if (challenge.attempt() > 3) {
    const actions = challenge.actions().join(' and ');
    throw denied(`${challenge.registry()} refuses the tokens of ${realm}: the account may lack ${actions}`);
  }
  const ask = credential?.kind() === 'identity-token' ? askByRefresh : askByGet;
  const response = ask(challenge, realm, credential);
  checkStatus(response, realm);
  answer.bearer(tokenOf(response), secondsOf(response));
}

export const authenticator = guarded({
  authenticate(challenge, answer) {
    const scheme = challenge.scheme();
    switch (scheme) {
      case 'none':
        // Nothing is sent before it is asked for.
        return answer.anonymous();
      case 'basic':
        return basic(challenge, answer);
      case 'bearer':
        return bearer(challenge, answer);
      default:
        log.warn(`${challenge.registry()} asks for ${scheme}`);
        throw unsupported(`the authentication scheme ${quoted(scheme)}`);
    }
  },
});

export const resolver = guarded({
  resolve(_registry, _repository, endpoints) {
    const origin = get('mirror');
    if (origin !== undefined) {
      endpoints.add(origin, '');
    }
  },
});

export const verifier = guarded({
  verify(manifest) {
    const reference = manifest.reference();
    if (get('digest') === 'required' && !reference.includes('@sha256:')) {
      throw denied(`${reference} is not pinned by a digest; it is ${manifest.digest()} now`);
    }
  },
});

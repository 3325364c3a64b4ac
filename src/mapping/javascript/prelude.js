// What stands around a mapper: evaluated first in every fresh context, before any of its text. It closes the world
// (only the names listed below stay global), stops the clock, seeds chance, collects the console, and speaks the
// connector's calling convention. Everything it needs later it takes now, so that a mapper that rewrites built-ins
// deceives only itself. No call leads back into the host.
(function (now, dateText, bufferText) {
  'use strict';
  const { parse, stringify } = JSON;
  const { isArray } = Array;
  const { apply, construct, defineProperty, deleteProperty, ownKeys } = Reflect;
  const bind = (method) => Function.prototype.call.bind(method);
  const [cut, find, code, lower, wellFormed] = ['slice', 'indexOf', 'charCodeAt', 'toLowerCase', 'toWellFormed'].map(
    (name) => bind(String.prototype[name]));
  const text = String;

  const kept = new Set(('Object Function Error EvalError RangeError ReferenceError SyntaxError TypeError URIError AggregateError' +
    ' InternalError Array Number Boolean String Symbol BigInt Math JSON Date RegExp Map Set WeakMap WeakSet Promise' +
    ' Reflect Iterator ArrayBuffer DataView Uint8Array Int8Array Uint8ClampedArray Uint16Array Int16Array Uint32Array' +
    ' Int32Array Float16Array Float32Array Float64Array BigInt64Array BigUint64Array parseInt parseFloat isNaN isFinite' +
    ' decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval globalThis Infinity NaN undefined').split(' '));
  for (const name of ownKeys(globalThis)) {
    if (typeof name === 'string' && !kept.has(name)) deleteProperty(globalThis, name);
  }
  const hidden = (object, name, value) =>
    defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });

  // Parsing is what a fresh context costs most, so what few mappers use is text until they do: a global that evaluates
  // it at the first look. It is handed what it needs of the built-ins, taken now.
  const evaluate = eval;
  const onDemand = (name, make) => {
    let made;
    const put = (value) => hidden(globalThis, name, value);
    const get = () => {
      if (made === undefined) made = make();
      put(made);
      return made;
    };
    defineProperty(globalThis, name, { get, set: put, enumerable: false, configurable: true });
    return () => made === undefined ? get() : made;
  };
  const dateTools = { RealDate: Date, UTC: Date.UTC, parseDate: Date.parse, text, cut, apply, construct, defineProperty, hidden,
    toDateText: bind(Date.prototype.toUTCString), matches: bind(RegExp.prototype.exec) };
  onDemand('Date', () => evaluate(dateText)(now, dateTools));
  const bufferTools = { Bytes: Uint8Array, fromBase64: Uint8Array.fromBase64, fromHex: Uint8Array.fromHex,
    toBase64: bind(Uint8Array.prototype.toBase64), toHex: bind(Uint8Array.prototype.toHex), text, code, find, lower, wellFormed };
  const buffer = onDemand('Buffer', () => evaluate(bufferText)(bufferTools));

  // --- Chance: the same numbers in every run. ---
  const { imul } = Math;
  let seed = 0x2f6e2b1;
  hidden(Math, 'random', function random() {
    seed = (imul(seed, 1664525) + 1013904223) | 0;
    return (seed >>> 0) / 4294967296;
  });

  // --- The console: a bounded text, read by the host afterwards. A primitive, so nothing can get at it. ---
  const LINES_MAX = 100;
  const LINE_MAX = 500;
  let trace = '';
  let lines = 0;
  const shown = (value) => {
    if (typeof value === 'string') return value;
    try {
      const json = typeof value === 'object' && value !== null ? stringify(value) : undefined;
      return text(json === undefined ? value : json);
    } catch {
      return '(not printable)';
    }
  };
  const log = (...values) => {
    lines += 1;
    if (lines > LINES_MAX) return;
    let line = '';
    for (let i = 0; i < values.length && line.length <= LINE_MAX; i += 1) line += (i ? ' ' : '') + shown(values[i]);
    trace += wellFormed(cut(line, 0, LINE_MAX)) + '\n';
  };
  const console = {};
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir']) hidden(console, name, log);
  hidden(globalThis, 'console', console);

  // --- The contract. ---
  const rawData = (input) => {
    const { entry, photos, status, groups, ous } = parse(input);
    for (const name of photos) {
      const value = entry[name];
      const photo = (base64) => construct(buffer(), [base64, 'base64']);
      entry[name] = isArray(value) ? value.map(photo) : photo(value);
    }
    const put = (name, value) => defineProperty(entry, name, { value, writable: true, enumerable: true, configurable: true });
    if (status !== null) put('ldapStatus', status);
    put('groups', groups === null ? undefined : groups);
    put('organizationUnits', ous === null ? undefined : ous);
    return entry;
  };

  let state = 'waiting';
  let answer;
  const given = (profile) => {
    if (profile === null || typeof profile !== 'object' || isArray(profile)) {
      return ['no profile', profile === null ? 'null' : isArray(profile) ? 'an array' : typeof profile];
    }
    if (typeof profile.then === 'function') return ['no profile', 'a promise'];
    const json = stringify(profile);
    return json === undefined ? ['no profile', 'undefined'] : ['profile', json];
  };
  const failed = (error) => {
    // QuickJS throws null when there is no memory left for the error either.
    if (error === null) return ['thrown', 'out of memory', ''];
    const isError = typeof error === 'object' && error !== null;
    const message = isError ? error.message : error;
    const said = isError && typeof message === 'object' || message === undefined ? 'an object that is no Error' : text(message);
    return ['thrown', wellFormed(said), wellFormed(isError ? text(error.stack) : '')];
  };
  const done = (error, profile) => {
    if (state !== 'waiting') return;
    state = 'answered';
    try {
      answer = error ? failed(error) : given(profile);
    } catch (thrown) {
      answer = failed(thrown);
    }
  };

  return {
    // Runs the module's text; what it exports, by kind.
    load(body) {
      const module = { exports: {} };
      try {
        apply(body, module.exports, [module.exports, module]);
      } catch (thrown) {
        return failed(thrown);
      }
      this.mapper = module.exports;
      return [typeof this.mapper === 'function' ? 'mapper' : 'no mapper', typeof this.mapper];
    },
    // Runs the exported function over one entry: with one parameter it returns the profile, with any other number it
    // hands it to a callback, perhaps from a promise.
    call(input) {
      const { mapper } = this;
      const raw = rawData(input);
      try {
        if (mapper.length === 1) done(null, mapper(raw));
        else mapper(raw, done);
      } catch (thrown) {
        if (state === 'waiting') [state, answer] = ['answered', failed(thrown)];
      }
    },
    answer: () => (state === 'waiting' ? undefined : answer),
    trace: () => (lines > LINES_MAX ? trace + '(' + (lines - LINES_MAX) + ' more lines)\n' : trace),
  };
})

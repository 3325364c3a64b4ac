// Date for a mapper: `now` is one instant for the whole run, and the only zone is UTC. Evaluated at the first use.
(function (now, tools) {
  'use strict';
  const { RealDate, UTC, parseDate, text, cut, apply, construct, defineProperty, hidden, toDateText, matches } = tools;
  const ZONED = /(?:Z|GMT|UTC?|[+-]\d\d:?\d\d)(?:\s*\([^)]*\))?\s*$/i;
  const ISO_DAY = /^\s*[+-]?\d{4,6}(?:-\d\d){0,2}\s*$/;
  const ISO_TIME = /^\s*[+-]?\d{4,6}-\d\d-\d\dT/;
  const zoned = (value) => {
    if (typeof value !== 'string' || matches(ISO_DAY, value) || matches(ZONED, value)) return value;
    return value + (matches(ISO_TIME, value) ? 'Z' : ' GMT');
  };
  const FixedDate = function Date(...parts) {
    if (!new.target) return clockText(new RealDate(now));
    const [first] = parts;
    const args = parts.length === 0 ? [now] : parts.length === 1 ? [zoned(first)] : [apply(UTC, undefined, parts)];
    return construct(RealDate, args, new.target);
  };
  const clockText = (date) => {
    const utc = toDateText(date);
    return utc === 'Invalid Date' ? utc : dayText(utc) + ' ' + cut(utc, -12) + '+0000';
  };
  // "Thu, 26 Nov 2026 17:44:14 GMT" is "Thu Nov 26 2026" in the order of toString().
  const dayText = (utc) => cut(utc, 0, 3) + ' ' + cut(utc, 8, 11) + ' ' + cut(utc, 5, 7) + ' ' + cut(utc, 12, -13);
  const dates = RealDate.prototype;
  defineProperty(FixedDate, 'prototype', { value: dates, writable: false });
  defineProperty(FixedDate, 'length', { value: 7 });
  hidden(FixedDate, 'now', () => now);
  hidden(FixedDate, 'UTC', UTC);
  hidden(FixedDate, 'parse', (value) => parseDate(zoned(text(value))));
  hidden(dates, 'constructor', FixedDate);
  const parts = ['FullYear', 'Month', 'Date', 'Day', 'Hours', 'Minutes', 'Seconds', 'Milliseconds'];
  for (let i = 0; i < parts.length; i += 1) {
    const part = parts[i];
    hidden(dates, 'get' + part, dates['getUTC' + part]);
    if (part !== 'Day') hidden(dates, 'set' + part, dates['setUTC' + part]);
  }
  hidden(dates, 'getTimezoneOffset', () => 0);
  hidden(dates, 'toString', function toString() { return clockText(this); });
  hidden(dates, 'toDateString', function toDateString() { return dayText(toDateText(this)); });
  hidden(dates, 'toTimeString', function toTimeString() { return cut(clockText(this), 16); });
  return FixedDate;
})

// Buffer for a mapper: bytes with Node's toString(encoding). Evaluated at the first use.
(function (tools) {
  'use strict';
  const { Bytes, fromBase64, fromHex, toBase64, toHex, text, code, find, lower, wellFormed } = tools;
  const { fromCharCode, fromCodePoint } = String;
  const bytesOf = (value, encoding) => {
    switch (lower(text(encoding === undefined ? 'utf8' : encoding))) {
      case 'base64': case 'base64url':
        return fromBase64.call(Bytes, value, { alphabet: find(value, '-') < 0 && find(value, '_') < 0 ? 'base64' : 'base64url' });
      case 'hex': return fromHex.call(Bytes, value);
      case 'latin1': case 'binary': case 'ascii': return Bytes.from(value, (c) => code(c, 0));
      case 'utf8': case 'utf-8': return Bytes.from(unescape(encodeURIComponent(wellFormed(value))), (c) => code(c, 0));
      default: throw new TypeError('Unknown encoding: ' + encoding);
    }
  };
  // Malformed sequences become U+FFFD, each maximal part of one once, as in Node.
  const utf8 = (bytes) => {
    let out = '';
    for (let i = 0; i < bytes.length;) {
      const lead = bytes[i];
      i += 1;
      if (lead < 0x80) { out += fromCharCode(lead); continue; }
      const more = lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0;
      let point = more ? lead & (0x3f >> more) : 0xfffd;
      let low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      let high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      for (let n = 0; n < more; n += 1) {
        const next = bytes[i];
        if (!(next >= low && next <= high)) { point = 0xfffd; break; }
        [low, high] = [0x80, 0xbf];
        point = (point << 6) | (next & 0x3f);
        i += 1;
      }
      out += fromCodePoint(point);
    }
    return out;
  };
  class Buffer extends Bytes {
    constructor(value, encoding) { super(typeof value === 'string' ? bytesOf(value, encoding) : value); }
    static from(value, encoding) { return new Buffer(value, encoding); }
    static isBuffer(value) { return value instanceof Buffer; }
    toString(encoding, from = 0, to = this.length) {
      const bytes = from === 0 && to === this.length ? this : this.subarray(from, to);
      switch (lower(text(encoding === undefined ? 'utf8' : encoding))) {
        case 'base64': return toBase64(bytes);
        case 'base64url': return toBase64(bytes, { alphabet: 'base64url', omitPadding: true });
        case 'hex': return toHex(bytes);
        case 'latin1': case 'binary': return bytes.reduce((out, byte) => out + fromCharCode(byte), '');
        case 'ascii': return bytes.reduce((out, byte) => out + fromCharCode(byte & 0x7f), '');
        case 'utf8': case 'utf-8': return utf8(bytes);
        default: throw new TypeError('Unknown encoding: ' + encoding);
      }
    }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
  }
  return Buffer;
})

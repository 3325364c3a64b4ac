// Written for every shape an attribute can have (missing, `[]`, one value, several), as mappers that live long are: what
// is imported of it means the same on every entry.
function first(value) {
  return Array.isArray(value) ? value[0] : value;
}

function all(value) {
  return value === undefined ? [] : [].concat(value);
}

module.exports = function (raw) {
  var mail = first(raw.mail) || first(raw.userPrincipalName);
  var given = first(raw.givenName);
  var family = first(raw.sn);
  var title = first(raw.title);
  var type = first(raw.employeeType);
  var expires = first(raw.accountExpires);
  var phone = first(raw.telephoneNumber) || first(raw.mobile);

  var profile = {
    id: first(raw.objectGUID),
    displayName: first(raw.displayName) || (given && family ? given + ' ' + family : first(raw.cn)),
    name: { familyName: family, givenName: given },
    nickname: first(raw.sAMAccountName) || first(raw.uid),
    emails: mail ? [{ value: mail.toLowerCase() }] : undefined,
    groups: all(raw.memberOf)
      .filter(function (dn) { return dn.endsWith(',OU=Apps,DC=corp,DC=example'); })
      .map(function (dn) { return dn.split(',')[0].slice(3); })
  };

  profile.title = title ? title.toUpperCase() : 'none';
  profile.phone_number = phone ? phone.replace(/[^0-9+]/g, '') : undefined;
  profile.disabled = (first(raw.userAccountControl) & 2) !== 0;
  profile.enabled = !(first(raw.userAccountControl) & 2);
  profile.expires = expires ? new Date(expires / 1e4 - 11644473600000).toISOString() : undefined;
  profile.contractor = all(raw.objectClass).indexOf('contractor') >= 0;
  profile.aliases = all(raw.proxyAddresses)
    .filter(function (address) { return address.startsWith('smtp:'); })
    .map(function (address) { return address.replace('smtp:', ''); });
  profile.place = [first(raw.l), first(raw.st)].filter(Boolean).join(', ');
  if (type === 'ext' || type === 'temp') {
    profile.kind = 'external';
    profile.company = first(raw.company);
  } else if (type) {
    profile.kind = 'internal';
  } else {
    profile.kind = 'unknown';
  }
  if (first(raw.c) === 'DE') {
    profile.locale = 'de-DE';
  }
  return profile;
};

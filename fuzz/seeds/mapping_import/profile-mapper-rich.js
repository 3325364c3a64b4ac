'use strict';
var ACCOUNT_DISABLED = 2;

// The first of one or several.
function first(value) {
  return Array.isArray(value) ? value[0] : value;
}

function clean(number) {
  if (!number) return undefined;
  return number.replace(/[^0-9+]/g, '');
}

module.exports = function (raw_data, callback) {
  const mail = first(raw_data.mail);
  var profile = {
    id: raw_data.objectGUID || raw_data.uid || raw_data.cn,
    displayName: raw_data.displayName || (raw_data.givenName + ' ' + raw_data.sn),
    name: {
      familyName: raw_data['sn'],
      givenName: raw_data['givenName']
    },
    nickname: raw_data.sAMAccountName ? raw_data.sAMAccountName.toLowerCase() : undefined,
    emails: mail ? [{ value: mail.toLowerCase() }] : undefined,
    groups: [].concat(raw_data.memberOf || []).map(dn => dn.split(',')[0].slice(3))
  };

  profile['department'] = raw_data['department'];
  profile.login = raw_data.userPrincipalName.split('@')[0].trim();
  profile.office = `${raw_data.l || ''}/${raw_data.physicalDeliveryOfficeName || ''}`;
  profile.label = [raw_data.company, raw_data.department].filter(Boolean).join(' - ');
  profile.phone_number = clean(raw_data.telephoneNumber);
  profile.picture = 'data:image/jpeg;base64,' + raw_data.thumbnailPhoto.toString('base64');
  profile.disabled = (raw_data.userAccountControl & ACCOUNT_DISABLED) !== 0;
  profile.expires = new Date(raw_data.accountExpires / 1e4 - 11644473600000).toISOString();
  profile.admin = raw_data.memberOf.indexOf('CN=Admins,DC=corp,DC=example') !== -1;
  profile.aliases = (raw_data.proxyAddresses || []).filter(function (a) { return a.startsWith('smtp:'); }).map(a => a.replace('smtp:', ''));
  if (raw_data.title) {
    profile.title = raw_data.title.toUpperCase();
  } else {
    profile.title = 'NONE';
  }
  if (raw_data.c === 'DE' || raw_data.c === 'AT') {
    profile.locale = 'de-DE';
  }
  profile.kind = raw_data.employeeType == 'ext' ? 'external' : 'internal';
  profile.app_metadata = { building: raw_data.roomNumber, nested: { desk: raw_data.carLicense } };

  console.log('mapped', profile.id);
  callback(null, profile);
};

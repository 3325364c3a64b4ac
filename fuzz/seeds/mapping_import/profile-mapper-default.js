// A mapper for Auth0's AD/LDAP connector, written after its contract: the members a connector's default mapper fills,
// and the attributes it hands on under their own names.
module.exports = function (raw_data) {
  var profile = {
    id: raw_data.objectGUID || raw_data.uid || raw_data.cn,
    displayName: raw_data.displayName,
    name: { familyName: raw_data.sn, givenName: raw_data.givenName },
    nickname: raw_data.sAMAccountName || raw_data.cn || raw_data.commonName,
    groups: raw_data.groups,
    emails: raw_data.mail ? [{ value: raw_data.mail }] : undefined
  };

  [
    'dn', 'st', 'description', 'postalCode', 'telephoneNumber', 'distinguishedName', 'co', 'department', 'company',
    'mailNickname', 'sAMAccountName', 'sAMAccountType', 'userPrincipalName', 'manager', 'organizationUnits'
  ].forEach(function (name) {
    profile[name] = raw_data[name];
  });

  return profile;
};

// Leaves early: with an error, with another profile, without one.
function first(value) {
  return Array.isArray(value) ? value[0] : value;
}

module.exports = function (raw, callback) {
  var type = first(raw.employeeType);
  var mail = first(raw.mail);
  if (!first(raw.objectGUID)) {
    return callback(new Error('no objectGUID'));
  }
  if (type === 'machine' || type === 'room') {
    throw new Error('not a person: ' + type);
  }

  var profile = { id: first(raw.objectGUID), displayName: first(raw.displayName) || first(raw.cn) };
  if (type === 'guest') {
    profile.nickname = 'guest';
    if (!mail) {
      return callback(null, profile);
    }
    profile.emails = [{ value: mail }];
    profile.invited = true;
    return callback(null, profile);
  }

  profile.nickname = first(raw.sAMAccountName);
  ['department', 'company'].forEach(function (name) {
    if (!first(raw[name])) return;
    profile[name] = first(raw[name]);
  });
  if (mail) {
    profile.emails = [{ value: mail.toLowerCase() }];
  } else if (type !== 'service') {
    callback('nobody without an address');
    return;
  }
  callback(null, profile);
};

const crypto = require('crypto');

module.exports = function (raw, callback) {
  if (!raw.mail) {
    return callback(new Error('no mail'));
  }
  let profile = { id: raw.employeeID, displayName: raw.displayName, nickname: raw.uid };

  profile.hash = crypto.createHash('md5').update(raw.mail).digest('hex');
  profile.email = raw.mail;
  profile.name = raw.cn;
  profile.tags = [];
  for (const tag of raw.description) {
    profile.tags.push(tag);
  }
  try {
    profile.extra = JSON.parse(raw.info);
    profile.nickname = profile.extra.nick;
  } catch (e) {
    profile.extra = null;
  }
  profile.age = Math.floor(raw.age);
  profile.score = raw.a * 2;
  profile.manager = raw.manager && raw.manager.split(',')[0].replace('CN=', '');
  profile.lookahead = raw.info.replace(/(?<=a)b/, '');
  profile.identities = raw.uid;
  profile[raw.key] = 1;
  return callback(null, profile);
};

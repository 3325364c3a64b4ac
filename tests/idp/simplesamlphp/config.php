<?php

require_once __DIR__ . '/settings.php';

$config = [
    'baseurlpath' => rosterd_settings()['base'] . '/',
    'certdir' => rosterd_folder() . '/',
    'metadatadir' => __DIR__ . '/metadata',
    'tempdir' => rosterd_folder() . '/tmp',
    'datadir' => rosterd_folder() . '/data/',
    'loggingdir' => rosterd_folder() . '/',

    'technicalcontact_name' => 'Nobody',
    'technicalcontact_email' => 'nobody@example.org',
    'timezone' => 'UTC',
    'secretsalt' => 'the salt of a test',
    'auth.adminpassword' => 'the administrator of a test',
    'admin.checkforupdates' => false,
    // Where a logout that begins here may end.
    'trusted.url.domains' => null,

    'logging.level' => SimpleSAML\Logger::DEBUG,
    'logging.handler' => 'file',
    'logging.logfile' => 'simplesamlphp.log',
    'debug' => ['saml' => true, 'backtraces' => true, 'validatexml' => false],
    'showerrors' => true,
    'errorreporting' => false,

    'enable.saml20-idp' => true,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'metadata.sources' => [['type' => 'flatfile']],

    'store.type' => 'phpsession',
    'session.phpsession.savepath' => rosterd_folder() . '/sessions',
    'session.phpsession.cookiename' => 'SimpleSAML',
    // Plain http on loopback.
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'language.cookie.secure' => false,
    'language.cookie.samesite' => null,
];

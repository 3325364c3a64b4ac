<?php

require_once __DIR__ . '/../settings.php';

// The metadata that gateways publish, as an administrator would hand it over, and what a test adds to it.
foreach (glob(rosterd_folder() . '/sp/*.xml') as $file) {
    $sp = \SimpleSAML\Metadata\SAMLParser::parseString(file_get_contents($file))->getMetadata20SP();
    unset($sp['entityDescriptor'], $sp['expire'], $sp['saml20.sign.assertion']);
    $metadata[$sp['entityid']] = array_merge($sp, rosterd_settings()['sp']);
}

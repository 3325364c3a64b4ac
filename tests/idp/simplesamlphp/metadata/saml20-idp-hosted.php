<?php

require_once __DIR__ . '/../settings.php';

$settings = rosterd_settings();
$metadata[$settings['base'] . '/saml2/idp/metadata.php'] = array_merge(
    [
        'host' => '__DEFAULT__',
        'auth' => 'userpass',
        'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
        // Logouts of its own are signed, and those that it is asked for have to be.
        'sign.logout' => true,
        'redirect.sign' => true,
        'validate.logout' => true,
        'logouttype' => 'traditional',
        'SingleSignOnServiceBinding' => [
            'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
            'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
        ],
    ],
    // Null takes a setting away again.
    array_filter($settings['idp'], fn ($value) => $value !== null)
);

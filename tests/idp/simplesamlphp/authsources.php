<?php

require_once __DIR__ . '/settings.php';

// `name:password` => attributes.
$config = ['userpass' => array_merge(['exampleauth:UserPass'], rosterd_settings()['people'])];

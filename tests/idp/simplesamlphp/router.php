<?php

// What a web server does for `/x.php/rest`: PHP's own server gives such an address to index.php.

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (!preg_match('#^(/.*?\.php)(/.*)?$#', $path, $found)) {
    return false;
}
$script = realpath($_SERVER['DOCUMENT_ROOT'] . $found[1]);
if ($script === false || strncmp($script, realpath($_SERVER['DOCUMENT_ROOT']), strlen(realpath($_SERVER['DOCUMENT_ROOT']))) !== 0) {
    http_response_code(404);
    return true;
}
$_SERVER['SCRIPT_NAME'] = $found[1];
$_SERVER['SCRIPT_FILENAME'] = $script;
$_SERVER['PHP_SELF'] = $path;
$_SERVER['PATH_INFO'] = $found[2] ?? '';
chdir(dirname($script));
require $script;

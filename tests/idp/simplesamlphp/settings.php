<?php

// What a test wants of this identity provider: read anew with each request, so that a test can change it while it runs.
// `tests/suite/support/simplesamlphp.rs` writes it.

function rosterd_folder(): string
{
    return getenv('ROSTERD_IDP_FOLDER');
}

function rosterd_settings(): array
{
    return json_decode(file_get_contents(rosterd_folder() . '/idp.json'), true, 32, JSON_THROW_ON_ERROR);
}

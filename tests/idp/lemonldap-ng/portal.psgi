# The portal of Debian's lemonldap-ng, which is an OpenID provider: a page for name and password, the password being the name.
#
# LLNG_FOLDER holds `idp.json`, read anew with each request: `people`, by name their `uid`, `cn` and `mail`. LLNG_DEFAULTCONFFILE says
# where the rest is. tests/suite/support/lemonldap.rs writes both.
use strict;
use warnings;
use JSON;
use Lemonldap::NG::Portal::Main;
use Lemonldap::NG::Portal::UserDB::Demo;

my $portal = Lemonldap::NG::Portal::Main->run({});

sub {
    my $environment = shift;
    open my $file, '<', "$ENV{LLNG_FOLDER}/idp.json" or die $!;
    local $/;
    %Lemonldap::NG::Portal::UserDB::Demo::demoAccounts = %{ decode_json(<$file>)->{people} };
    $portal->($environment);
}

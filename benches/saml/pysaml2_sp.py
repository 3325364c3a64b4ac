"""pysaml2, from the form field to attributes. `python pysaml2_sp.py FOLDER SECONDS`; needs the program xmlsec1."""

import json
import logging
import pathlib
import resource
import sys
from importlib.metadata import version

from saml2 import BINDING_HTTP_POST
from saml2.client import Saml2Client
from saml2.config import SPConfig

folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
logging.disable(logging.CRITICAL)
certificate = "".join((folder / "idp.pem").read_text().splitlines()[1:-1])
IDP = f"""<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com/metadata">
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">
<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo>
</KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>
</IDPSSODescriptor></EntityDescriptor>"""
(folder / "idp.xml").write_text(IDP)
ACS = "https://gateway.example.net/saml/acme/acs"
config = SPConfig()
config.load(
    {
        "entityid": "https://gateway.example.net/saml/acme/metadata",
        # The message is of a fixed day; ours is told that day, here any day will do.
        "accepted_time_diff": 10**9,
        "service": {
            "sp": {
                "endpoints": {"assertion_consumer_service": [(ACS, BINDING_HTTP_POST)]},
                "want_assertions_signed": True,
                "want_response_signed": False,
                "allow_unknown_attributes": True,
                "allow_unsolicited": False,
            }
        },
        "metadata": {"local": [str(folder / "idp.xml")]},
    }
)
client = Saml2Client(config)
field = (folder / "response.b64").read_text()


def used():
    """The process and the xmlsec1 it starts for each message."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def once():
    answer = client.parse_authn_request_response(field, BINDING_HTTP_POST, outstanding={"_request1": "/"})
    if answer.name_id.text != "alice":
        sys.exit(f"name id {answer.name_id.text}")


for _ in range(3):
    once()
begin, count = used(), 0
while used() - begin < seconds:
    once()
    count += 1
print(json.dumps({"whole": count / (used() - begin), "version": version("pysaml2")}))

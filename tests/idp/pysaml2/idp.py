"""An identity provider of pysaml2 that asks nobody for a password: who signs in is in its settings.

`python idp.py FOLDER PORT`. FOLDER holds `idp.json`, `idp.key`, `idp.pem` and, under `sp/`, the metadata that gateways
publish; `former.pem` is a certificate it signed with before. All of it is read anew with each request. tests/suite/support/pysaml2_idp.rs writes it.
"""

import json
import pathlib
import sys
import time

import flask
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, saml
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.server import Server
from saml2.sigver import get_pem_wrapped_unwrapped, make_temp, pre_encryption_part

folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
BASE = f"http://127.0.0.2:{port}"
SIGNATURE = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"
app = flask.Flask(__name__)


class Idp(Server):
    """pysaml2 encrypts with Triple DES alone; which cipher a test wants is in its settings."""

    cipher = None

    def _encrypt_assertion(self, encrypt_cert, sp_entity_id, response, node_xpath=None):
        algorithm, session_key = self.cipher
        certificates = [(None, encrypt_cert)] if encrypt_cert else self.metadata.certs(sp_entity_id, "any", "encryption")
        name, certificate = certificates[0]
        wrapped, unwrapped = get_pem_wrapped_unwrapped(certificate)
        file = make_temp(wrapped.encode("ascii"), decode=False, delete_tmpfiles=self.config.delete_tmpfiles)
        template = pre_encryption_part(msg_enc=algorithm, key_name=name, encrypt_cert=unwrapped)
        return self.sec.encrypt_assertion(response, file.name, template, key_type=session_key, node_xpath=node_xpath)


def settings():
    return json.loads((folder / "idp.json").read_text())


def config():
    wanted = settings()
    service = {
        "endpoints": {
            "single_sign_on_service": [(f"{BASE}/sso", BINDING_HTTP_REDIRECT), (f"{BASE}/sso", BINDING_HTTP_POST)],
        },
        "name_id_format": [wanted["name_id_format"]],
        "sign_response": wanted["sign_response"],
        "sign_assertion": wanted["sign_assertion"],
        "encrypt_assertion": wanted["encrypt_assertion"],
        "want_authn_requests_signed": wanted["want_authn_requests_signed"],
        "policy": {"default": {"lifetime": {"minutes": 5}, "name_form": wanted["attribute_format"]}},
    }
    made = IdPConfig()
    made.load(
        {
            "entityid": f"{BASE}/metadata",
            "key_file": str(folder / "idp.key"),
            "cert_file": str(folder / "idp.pem"),
            "additional_cert_files": [str(file) for file in folder.glob("former.pem")],
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "allow_unknown_attributes": True,
            "service": {"idp": service},
            "metadata": {"local": [str(file) for file in sorted((folder / "sp").glob("*.xml"))]},
            "signing_algorithm": SIGNATURE,
            "digest_algorithm": DIGEST,
        }
    )
    return made


def idp():
    made = Idp(config=config())
    made.cipher = settings()["cipher"]
    return made


@app.get("/metadata")
def metadata():
    return flask.Response(str(entity_descriptor(config())), mimetype="application/samlmetadata+xml")


@app.route("/sso", methods=["GET", "POST"])
def sign_on():
    values = flask.request.values
    binding = BINDING_HTTP_POST if flask.request.method == "POST" else BINDING_HTTP_REDIRECT
    server = idp()
    signed = {"relay_state": values.get("RelayState"), "sigalg": values.get("SigAlg"), "signature": values.get("Signature")}
    request = server.parse_authn_request(
        values["SAMLRequest"], binding, **(signed if binding == BINDING_HTTP_REDIRECT else {})
    )
    return answer(server, server.response_args(request.message), values.get("RelayState"), request.message.force_authn)


@app.get("/unsolicited")
def unsolicited():
    """A login that begins here: at the gateway `sp`."""
    server, sp = idp(), flask.request.args["sp"]
    acs = server.metadata.assertion_consumer_service(sp, BINDING_HTTP_POST)[0]["location"]
    arguments = {"in_response_to": None, "destination": acs, "sp_entity_id": sp, "binding": BINDING_HTTP_POST}
    return answer(server, arguments, flask.request.args.get("RelayState"), None)


def answer(server, arguments, relay_state, force_authn):
    wanted = settings()
    binding, destination = arguments.pop("binding"), arguments["destination"]
    arguments.pop("name_id_policy", None)
    name_id = saml.NameID(format=wanted["name_id_format"], text=wanted["name_id"])
    # Signed in an hour ago, unless the gateway wants it done now.
    ago = 0 if force_authn == "true" and wanted["honours_force_authn"] else 3600
    authn = {
        "class_ref": wanted["authn_context"] or PASSWORDPROTECTEDTRANSPORT,
        "authn_instant": int(time.time()) - ago,
    }
    response = server.create_authn_response(
        wanted["attributes"],
        userid=wanted["name_id"],
        name_id=name_id,
        authn=authn,
        sign_response=wanted["sign_response"],
        sign_assertion=wanted["sign_assertion"],
        encrypt_assertion=wanted["encrypt_assertion"],
        encrypt_assertion_self_contained=True,
        sign_alg=SIGNATURE,
        digest_alg=DIGEST,
        **arguments,
    )
    sent = server.apply_binding(binding, str(response), destination, relay_state or "", response=True)
    return sent["data"]


app.run(host="127.0.0.2", port=port, threaded=False)

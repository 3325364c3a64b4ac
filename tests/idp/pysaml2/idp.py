"""An identity provider of pysaml2 that asks nobody for a password: who signs in is in its settings.

`python idp.py FOLDER PORT`. FOLDER holds `idp.json`, `idp.key`, `idp.pem` and, under `sp/`, the metadata that gateways
publish; `former.pem` is a certificate it signed with before. All of it is read anew with each request. tests/suite/support/pysaml2_idp.rs writes it.

What it remembers is who is signed in (`/sessions`), until somebody signs out: there (`/slo`) or here (`/sign_out`).
"""

import json
import pathlib
import re
import sys
import time

import flask
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, saml
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.server import Server
from saml2.sigver import get_pem_wrapped_unwrapped, make_temp, pre_encryption_part, verify_redirect_signature

folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
BASE = f"http://127.0.0.2:{port}"
SIGNATURE = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"
BINDINGS = {"redirect": BINDING_HTTP_REDIRECT, "post": BINDING_HTTP_POST}
app = flask.Flask(__name__)
# Who is signed in at which gateway, as the assertion said it; the newest last.
sessions = []


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
            "single_logout_service": [(f"{BASE}/slo", BINDINGS[wanted["logout_binding"]])],
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
    sp = request.message.issuer.text
    return answer(server, server.response_args(request.message), values.get("RelayState"), request.message.force_authn, sp)


@app.get("/unsolicited")
def unsolicited():
    """A login that begins here: at the gateway `sp`."""
    server, sp = idp(), flask.request.args["sp"]
    acs = server.metadata.assertion_consumer_service(sp, BINDING_HTTP_POST)[0]["location"]
    arguments = {"in_response_to": None, "destination": acs, "sp_entity_id": sp, "binding": BINDING_HTTP_POST}
    return answer(server, arguments, flask.request.args.get("RelayState"), None, sp)


def answer(server, arguments, relay_state, force_authn, sp):
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
    # An encrypted one does not show it.
    index = re.search(r'SessionIndex="([^"]+)"', str(response))
    sessions.append({"sp": sp, "name_id": wanted["name_id"], "index": index and index[1]})
    sent = server.apply_binding(binding, str(response), destination, relay_state or "", response=True)
    return sent["data"]


@app.get("/sessions")
def signed_in():
    return flask.jsonify(sessions)


@app.get("/sign_out")
def sign_out():
    """Somebody signs out here: the newest session, and with it the one at the gateway, which `everywhere` does not name."""
    session = sessions.pop()
    server, (binding, to) = idp(), logout_service(session["sp"])
    name_id = saml.NameID(format=settings()["name_id_format"], text=session["name_id"])
    indexes = None if "everywhere" in flask.request.args else [session["index"]]
    posted = binding == BINDING_HTTP_POST
    _, message = server.create_logout_request(
        to, session["sp"], name_id=name_id, session_indexes=indexes, sign=posted, sign_alg=SIGNATURE, digest_alg=DIGEST
    )
    return sent(server.apply_binding(binding, str(message), to, "out", sign=not posted, sigalg=SIGNATURE))


@app.route("/slo", methods=["GET", "POST"])
def logout():
    values, server = flask.request.values, idp()
    binding = BINDING_HTTP_POST if flask.request.method == "POST" else BINDING_HTTP_REDIRECT
    relay_state = values.get("RelayState")
    if "SAMLResponse" in values:
        return signed_out(server, values, binding)
    signed = {"relay_state": relay_state, "sigalg": values.get("SigAlg"), "signature": values.get("Signature")}
    request = server.parse_logout_request(values["SAMLRequest"], binding, **(signed if binding == BINDING_HTTP_REDIRECT else {}))
    message = request.message
    sp, indexes = message.issuer.text, [index.text for index in message.session_index]
    meant = [one for one in sessions if one["sp"] == sp and one["name_id"] == message.name_id.text and one["index"] in indexes]
    if not meant:
        raise ValueError(f"no session of {message.name_id.text} at {sp} is {indexes}: {sessions}")
    sessions[:] = [one for one in sessions if one not in meant]
    binding, to = logout_service(sp)
    posted = binding == BINDING_HTTP_POST
    response = server.create_logout_response(message, [binding], sign=posted, sign_alg=SIGNATURE, digest_alg=DIGEST)
    return sent(server.apply_binding(binding, str(response), to, relay_state or "", response=True, sign=not posted, sigalg=SIGNATURE))


def signed_out(server, values, binding):
    """The end of a logout that began here. Signatures in a query pysaml2 leaves to its caller."""
    response = server.parse_logout_request_response(values["SAMLResponse"], binding)
    if binding == BINDING_HTTP_REDIRECT:
        query = {name: values[name] for name in ("SAMLResponse", "RelayState", "SigAlg", "Signature")}
        certificates = server.metadata.certs(response.issuer(), "any", "signing")
        if not any(verify_redirect_signature(query, server.sec.sec_backend, certificate) for _, certificate in certificates):
            raise ValueError("the answer is not signed by the gateway")
    elif response.response.signature is None:
        raise ValueError("the answer is not signed")
    if not response.status_ok() or values["RelayState"] != "out":
        raise ValueError(f"{response} {values}")
    return flask.Response("signed out everywhere", mimetype="text/plain")


def logout_service(sp):
    """How and where the gateway takes what is said of a logout."""
    binding = BINDINGS[settings()["logout_binding"]]
    return binding, idp().metadata.single_logout_service(sp, binding, "spsso")[0]["location"]


def sent(message):
    if message["method"] == "POST":
        return message["data"]
    return flask.redirect(dict(message["headers"])["Location"])


app.run(host="127.0.0.2", port=port, threaded=False)

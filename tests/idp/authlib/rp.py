"""An application that people log in to, with Authlib on Flask: code flow with PKCE, state and nonce.

`python rp.py FOLDER PORT`. FOLDER holds `rp.json`: `issuer`, `client_id`, `client_secret`, `scope`. `/login?…` begins, with whatever
else the provider is to be asked; `/me` tells as JSON what came of it; `/refresh` and `/revoke` do that and tell what was answered;
`/logout` signs out there. tests/suite/support/authlib.rs writes it.
"""

import json
import os
import pathlib
import sys
import uuid
from urllib.parse import urlencode

# Loopback has no TLS.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, request, session

folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
settings = json.loads((folder / "rp.json").read_text())
base = f"http://127.0.0.2:{port}"

app = Flask(__name__)
app.secret_key = uuid.uuid4().hex
app.config["SESSION_COOKIE_NAME"] = "authlib"
provider = OAuth(app).register(
    "provider",
    client_id=settings["client_id"],
    client_secret=settings["client_secret"],
    server_metadata_url=settings["issuer"].rstrip("/") + "/.well-known/openid-configuration",
    client_kwargs={"scope": settings["scope"], "code_challenge_method": "S256"},
)
# Too large for a cookie.
tokens = {}


@app.get("/login")
def login():
    return provider.authorize_redirect(f"{base}/cb", **request.args)


@app.get("/cb")
def callback():
    token = provider.authorize_access_token()
    session["id"] = uuid.uuid4().hex
    tokens[session["id"]] = token
    return redirect(f"{base}/me", 303)


@app.get("/me")
def me():
    token = tokens[session["id"]]
    userinfo = provider.userinfo(token=token)
    told = {name: token[name] for name in ("token_type", "expires_in", "scope") if name in token}
    return jsonify(claims=token["userinfo"], userinfo=userinfo, told=told, has_refresh_token="refresh_token" in token)


@app.get("/refresh")
def refresh():
    token = tokens[session["id"]]
    with provider._get_oauth_client(**provider.load_server_metadata()) as client:
        answer = client.refresh_token(provider.server_metadata["token_endpoint"], refresh_token=token["refresh_token"])
    is_rotated = answer.get("refresh_token", token["refresh_token"]) != token["refresh_token"]
    tokens[session["id"]] = {**token, **answer}
    return jsonify(is_rotated=is_rotated)


@app.get("/revoke")
def revoke():
    with provider._get_oauth_client(**provider.load_server_metadata()) as client:
        kind = request.args.get("token", "refresh_token")
        answer = client.revoke_token(provider.server_metadata["revocation_endpoint"], tokens[session["id"]][kind], kind)
    return jsonify(status=answer.status_code), 200 if answer.ok else 400


@app.get("/logout")
def logout():
    token = tokens.pop(session.pop("id"))
    asked = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": f"{base}/bye", "state": "bye"}
    return redirect(provider.load_server_metadata()["end_session_endpoint"] + "?" + urlencode(asked), 303)


@app.get("/bye")
def bye():
    return jsonify(request.args)


@app.errorhandler(OAuthError)
def refused(error):
    return jsonify(error=error.error, error_description=error.description), 400


app.run("127.0.0.2", port)

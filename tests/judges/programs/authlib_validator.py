"""Authlib's validator of RFC 9068, as its documentation shows it, the keys fetched by the metadata of RFC 8414."""

import os

import requests
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask, abort, jsonify

cache = {}


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        if "jwks" in cache:
            return cache["jwks"]
        metadata = requests.get(f"{self.issuer}/.well-known/oauth-authorization-server", timeout=10).json()
        cache["jwks"] = requests.get(metadata["jwks_uri"], timeout=10).json()
        return cache["jwks"]


require_oauth = ResourceProtector()
require_oauth.register_token_validator(Validator(issuer=os.environ["ISSUER"], resource_server=os.environ["AUDIENCE"]))
app = Flask(__name__)


@app.route("/api/me")
@require_oauth()
def me():
    return jsonify(user=current_token["sub"], role=current_token["role"])


@app.route("/api/reports")
@require_oauth()
def reports():
    return jsonify(["everything is well"]) if current_token["role"] == "admin" else abort(403)

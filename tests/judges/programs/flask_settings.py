"""Flask-JWT-Extended by its settings alone: it has none for a JWK Set, so it gets the public key in PEM."""

import os

from flask import Flask, abort, jsonify
from flask_jwt_extended import JWTManager, get_jwt, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_ALGORITHM"] = "ES256"
app.config["JWT_PUBLIC_KEY"] = os.environ["PUBLIC_KEY"]
app.config["JWT_DECODE_ISSUER"] = os.environ["ISSUER"]
app.config["JWT_DECODE_AUDIENCE"] = os.environ["AUDIENCE"]
jwt = JWTManager(app)


@app.route("/api/me")
@jwt_required()
def me():
    return jsonify(user=get_jwt_identity(), role=get_jwt()["role"])


@app.route("/api/reports")
@jwt_required()
def reports():
    return jsonify(["everything is well"]) if get_jwt()["role"] == "admin" else abort(403)

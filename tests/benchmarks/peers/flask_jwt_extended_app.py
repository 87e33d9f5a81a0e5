"""Flask-JWT-Extended with the database blocklist of its documentation, and the specification's own endpoint.

`BENCH_ROTATION=on` adds what the documentation leaves to the application: the old token goes to the blocklist and a
new one comes with the answer.
"""

import json
import os
import sys
from typing import Any

from flask import Flask, Response, jsonify
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine

URL = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
ROTATION = os.environ.get("BENCH_ROTATION") == "on"

app = Flask(__name__)
app.config.update(
    JWT_SECRET_KEY=os.environ["BENCH_SECRET_KEY"],
    SQLALCHEMY_DATABASE_URI=URL,
    SQLALCHEMY_ENGINE_OPTIONS={} if "sqlite" in URL else {"connect_args": {"options": "-c synchronous_commit=off"}},
)
jwt = JWTManager(app)
db = SQLAlchemy(app)


@event.listens_for(Engine, "connect")
def _set_up_connection(connection: Any, _record: object) -> None:
    if "sqlite" in URL:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")


class User(db.Model):  # type: ignore[name-defined,misc]
    id = db.Column(db.Integer, primary_key=True)
    active = db.Column(db.Boolean, nullable=False, default=True)


class TokenBlocklist(db.Model):  # type: ignore[name-defined,misc]
    id = db.Column(db.Integer, primary_key=True)
    jti = db.Column(db.String(36), nullable=False, index=True)
    type = db.Column(db.String(16), nullable=False)
    created_at = db.Column(db.DateTime, server_default=db.func.now(), nullable=False)


@jwt.user_lookup_loader
def _user_of(_header: dict[str, Any], claims: dict[str, Any]) -> User | None:
    return db.session.get(User, int(claims["sub"]))


@jwt.token_in_blocklist_loader
def _is_revoked(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
    return db.session.query(TokenBlocklist.id).filter_by(jti=claims["jti"]).scalar() is not None


@app.route("/refresh_token", methods=["POST"])
@jwt_required(refresh=True)
def refresh() -> Response:
    identity = get_jwt_identity()
    data = {"access_token": create_access_token(identity=identity)}
    if ROTATION:
        db.session.add(TokenBlocklist(jti=get_jwt()["jti"], type="refresh"))
        db.session.commit()
        data["refresh_token"] = create_refresh_token(identity=identity)
    return jsonify(status="success", code=200, data=data)


if __name__ == "__main__":
    with app.app_context():
        db.create_all()
        users = [User() for _ in range(int(sys.argv[1]))]
        db.session.add_all(users)
        db.session.commit()
        print(json.dumps({"tokens": [create_refresh_token(identity=str(user.id)) for user in users]}))  # noqa: T201

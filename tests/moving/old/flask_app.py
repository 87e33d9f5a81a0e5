"""An application with Flask-JWT-Extended, its users, and the database blocklist of the library's documentation."""

from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, jsonify
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
    set_access_cookies,
    set_refresh_cookies,
)
from flask_sqlalchemy import SQLAlchemy


class OldFlaskApplication:
    """The whole application over one database; keywords are the library's settings."""

    def __init__(self, database_url: str, **settings: Any) -> None:
        self.app = Flask("old")
        self.app.config.update(
            SQLALCHEMY_DATABASE_URI=database_url.replace("postgresql://", "postgresql+psycopg://"), **settings
        )
        self.jwt = JWTManager(self.app)
        self.db = SQLAlchemy(self.app)
        self.users, self.blocklist = _tables(self.db)
        self.jwt.token_in_blocklist_loader(self._is_revoked)
        self._add_routes()
        with self.app.app_context():
            self.db.create_all()

    def add_users(self, count: int) -> list[str]:
        """Add users and return their identifiers."""
        with self.app.app_context():
            self.db.session.execute(self.db.insert(self.users), [{"active": True} for _ in range(count)])
            self.db.session.commit()
            return [str(id_) for id_ in self.db.session.scalars(self.db.select(self.users.id).order_by(self.users.id))]

    def issue(self, user_id: str, **options: Any) -> str:
        """Return a refresh token as a sign-in gives it."""
        with self.app.app_context():
            return create_refresh_token(identity=user_id, **options)

    def issue_access(self, user_id: str, **options: Any) -> str:
        """Return an access token as a sign-in gives it."""
        with self.app.app_context():
            return create_access_token(identity=user_id, **options)

    def revoke(self, tokens: Iterable[str]) -> None:
        """Put tokens into the blocklist, as a logout does."""
        with self.app.app_context():
            rows = [{"jti": decode_token(token)["jti"]} for token in tokens]
            self.db.session.execute(self.db.insert(self.blocklist), rows)
            self.db.session.commit()

    def set_active(self, user_id: str, *, active: bool) -> None:
        with self.app.app_context():
            self.db.session.execute(
                self.db.update(self.users).where(self.users.id == int(user_id)).values(active=active)
            )
            self.db.session.commit()

    def close(self) -> None:
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()

    def _is_revoked(self, _header: dict[str, Any], claims: dict[str, Any]) -> bool:
        with self.db.session.begin_nested():
            query = self.db.select(self.blocklist.id).where(self.blocklist.jti == claims["jti"])
            return self.db.session.scalar(query) is not None

    def _add_routes(self) -> None:
        @self.app.post("/refresh")
        @jwt_required(refresh=True)
        def refresh() -> Response:
            access_token = create_access_token(identity=get_jwt_identity())
            if "cookies" not in self.app.config["JWT_TOKEN_LOCATION"]:
                return jsonify(access_token=access_token)
            response = jsonify({"refresh": True})
            set_access_cookies(response, access_token)
            return response

        @self.app.post("/login/<user_id>")
        def login(user_id: str) -> Response:
            response = jsonify({"login": True})
            set_access_cookies(response, create_access_token(identity=user_id))
            set_refresh_cookies(response, create_refresh_token(identity=user_id))
            return response

        @self.app.get("/me")
        @jwt_required()
        def me() -> Response:
            return jsonify(user=get_jwt_identity(), fresh=get_jwt()["fresh"], role=get_jwt().get("role"))

        @self.app.post("/me")
        @jwt_required()
        def change_me() -> Response:
            return jsonify(user=get_jwt_identity())


def _tables(db: SQLAlchemy) -> tuple[Any, Any]:
    class User(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "users"
        id = db.Column(db.Integer, primary_key=True)
        active = db.Column(db.Boolean, nullable=False, default=True)

    class TokenBlocklist(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        jti = db.Column(db.String(36), nullable=False, index=True)
        created_at = db.Column(db.DateTime, server_default=db.func.now(), nullable=False)

    return User, TokenBlocklist

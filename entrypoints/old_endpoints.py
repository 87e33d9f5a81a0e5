"""How the old endpoints of an application that moves in are wired."""

from domain.use_cases.service import Service
from entrypoints.http.credentials import ServiceCredentials
from entrypoints.http.cross_site import CrossSiteGuard
from entrypoints.http.moving_in.flask_jwt_extended import FlaskCookies, FlaskJwtExtendedRefreshResource
from entrypoints.http.moving_in.oauth_toolkit import OAuthIntrospectionResource, OAuthTokenResource
from entrypoints.http.moving_in.simplejwt import SimplejwtRefreshResource
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.moving_in import MovingIn
from entrypoints.settings import Settings
from infrastructure.adoption.django_secrets import DjangoSecrets
from infrastructure.adoption.jwt_tokens import JwtTokens
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.oauth_toolkit import OAuthToolkitClients
from infrastructure.peewee.users import PeeweeUsers, UsersTable


def old_endpoints(settings: Settings, moving_in: MovingIn, service: Service) -> dict[str, object]:
    """Return the endpoints that the settings name, by path."""
    endpoints: dict[str, object] = {}
    if settings.adopt_flask_jwt_extended_path and moving_in.flask:
        endpoints[settings.adopt_flask_jwt_extended_path] = _flask(settings, moving_in.flask, service)
    if settings.adopt_simplejwt_path:
        refresh = service.refresh if settings.adopt_simplejwt_rotation else service.keep
        endpoints[settings.adopt_simplejwt_path] = SimplejwtRefreshResource(refresh)
    if settings.adopt_oauth_toolkit_path and moving_in.toolkit:
        clients = OAuthToolkitClients(moving_in.engine, moving_in.toolkit, DjangoSecrets().check)
        endpoints[settings.adopt_oauth_toolkit_path] = OAuthTokenResource(
            service.refresh, clients, other_grants=settings.adopt_oauth_toolkit_other_grants
        )
    if settings.adopt_oauth_toolkit_introspection_path:
        endpoints[settings.adopt_oauth_toolkit_introspection_path] = _introspection(settings, moving_in.engine, service)
    return endpoints


def _flask(settings: Settings, tokens: JwtTokens, service: Service) -> FlaskJwtExtendedRefreshResource:
    return FlaskJwtExtendedRefreshResource(
        by_header=service.refresh if settings.adopt_flask_jwt_extended_rotation else service.keep,
        by_cookie=service.refresh,
        locations=settings.adopt_flask_jwt_extended_token_location,
        guard=CrossSiteGuard(settings.allowed_origins),
        csrf_value_of=tokens.csrf_value_of,
        cookies=FlaskCookies(
            refresh=RefreshCookie(
                name=settings.adopt_flask_jwt_extended_refresh_cookie_name,
                path=settings.adopt_flask_jwt_extended_refresh_cookie_path,
                domain=settings.adopt_flask_jwt_extended_cookie_domain,
                same_site=settings.adopt_flask_jwt_extended_cookie_samesite,
            ),
            access_name=settings.adopt_flask_jwt_extended_access_cookie_name,
            access_path=settings.adopt_flask_jwt_extended_access_cookie_path,
            access_csrf_name=settings.adopt_flask_jwt_extended_access_csrf_cookie_name,
            refresh_csrf_name=settings.adopt_flask_jwt_extended_refresh_csrf_cookie_name,
            csrf_header=settings.adopt_flask_jwt_extended_refresh_csrf_header_name,
            csrf_protect=settings.adopt_flask_jwt_extended_cookie_csrf_protect,
            lasting=not settings.adopt_flask_jwt_extended_session_cookie,
        ),
    )


def _introspection(settings: Settings, engine: Engine, service: Service) -> OAuthIntrospectionResource:
    names = PeeweeUsers(
        engine,
        UsersTable(
            name=settings.users_table,
            id_column=settings.users_id_column,
            active_column=settings.users_active_column,
            claims=(("username", settings.adopt_oauth_toolkit_username_column),),
        ),
    )

    def name_of(user_id: str) -> str | None:
        user = names.find(user_id)
        return str(user.claims["username"]) if user is not None and user.active else None

    credentials = [secret.get_secret_value() for secret in settings.service_credentials]
    return OAuthIntrospectionResource(ServiceCredentials(credentials), service.authenticate, name_of)

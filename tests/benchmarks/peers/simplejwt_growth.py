"""djangorestframework-simplejwt after many sign-ins and refreshes: `simplejwt_growth.py SESSIONS REFRESHES SAMPLE`.

A sign-in leaves an outstanding token; a refresh leaves another one and a blacklisted one. They are written in bulk as
the library writes them, and then a sample of the sessions is refreshed by direct calls.
"""

import io
import json
import random
import statistics
import sys
import time
from datetime import timedelta
from typing import Any

from simplejwt_app import app  # sets Django up, which the models need

# isort: split
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

_BATCH = 10_000


def _outstanding(number: int, user_id: int) -> OutstandingToken:
    now = timezone.now()
    return OutstandingToken(
        user_id=user_id,
        jti=f"{random.getrandbits(128):032x}",  # as long and as spread as a real one
        token="x" * 290,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )


def _refresh(token: str) -> tuple[str, int]:
    body = json.dumps({"refresh": token}).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/refresh_token",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    started = time.perf_counter_ns()
    response = app(environ, _start_response)
    answer = b"".join(response)
    spent = time.perf_counter_ns() - started
    response.close()
    return json.loads(answer)["refresh"], spent


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
    if not status.startswith("200"):
        raise RuntimeError(f"not the answer of a refresh: {status}")


def main() -> None:
    """Fill the database, refresh a sample, print the median microseconds."""
    sessions, refreshes, sample = map(int, sys.argv[1:])
    call_command("migrate", verbosity=0)
    with transaction.atomic():
        for first in range(0, sessions, _BATCH):
            numbers = range(first, min(first + _BATCH, sessions))
            User.objects.bulk_create([User(id=number + 1, username=f"user{number}") for number in numbers])
            OutstandingToken.objects.bulk_create([_outstanding(number, number + 1) for number in numbers])
        for first in range(0, refreshes, _BATCH):
            numbers = range(first, min(first + _BATCH, refreshes))
            tokens = OutstandingToken.objects.bulk_create(
                [_outstanding(number, number % sessions + 1) for number in numbers]
            )
            BlacklistedToken.objects.bulk_create([BlacklistedToken(token=token) for token in tokens])
    chosen = random.Random(1).sample(range(1, sessions + 1), min(sample, sessions))  # noqa: S311
    users = User.objects.in_bulk(chosen)
    tokens_in_use = [str(RefreshToken.for_user(users[number])) for number in chosen]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    times = []
    for _ in range(2):
        for index, token in enumerate(tokens_in_use):
            tokens_in_use[index], spent = _refresh(token)
            times.append(spent)
    rows = OutstandingToken.objects.count() + BlacklistedToken.objects.count()
    print(json.dumps({"microseconds": statistics.median(times) / 1000, "rows": rows}))  # noqa: T201


main()

"""How much is simulated."""

import os

STRESS = bool(os.environ.get("NUOVO_TEST_STRESS"))

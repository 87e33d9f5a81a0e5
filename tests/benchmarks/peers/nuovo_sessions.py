"""Sessions for Nuovo, which is served as it is packaged, and a sample of its answer."""

import json
import sys

from domain.model.actors import THE_OPERATOR
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from entrypoints.bootstrap import build
from entrypoints.settings import load_settings
from infrastructure.logs import configure_logging

if __name__ == "__main__":
    configure_logging(as_json=True, level="WARNING")
    operations = build(load_settings()).operations
    operations.migrate()
    pairs = []
    for number in range(int(sys.argv[1])):
        operations.directory.put(User(id=str(number)))
        pairs.append(operations.service.start(str(number), SessionTerms(device="benchmark"), by=THE_OPERATOR))
    data = {"access_token": pairs[0].access_token, "refresh_token": pairs[0].refresh_token}
    answer = json.dumps({"status": "success", "code": 200, "data": data}, separators=(",", ":"))
    print(json.dumps({"tokens": [pair.refresh_token for pair in pairs], "answer": answer}))  # noqa: T201

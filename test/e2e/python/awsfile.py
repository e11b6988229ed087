"""Reads AWS files as botocore does. The argument is a folder of folders, each
with config and credentials, as they are and, with the suffix .before, as they
were. Prints JSON: by folder, what the profile "sidecar" holds, or the error."""

import json
import os
import sys

import botocore
import botocore.configloader
import botocore.session


def readable(folder):
    for name in ("credentials.before", "config.before"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            botocore.configloader.raw_config_parse(path)


def endpoint(session, client):
    """Versions that look for no endpoint in a profile are asked what stands there."""
    if tuple(int(part) for part in botocore.__version__.split(".")[:2]) >= (1, 31):
        return client.meta.endpoint_url
    services = session.get_scoped_config()["services"]
    return session.full_config[f"services {services}"]["s3"]["endpoint_url"]


def found(folder):
    try:
        readable(folder)
        before = True
    except Exception:
        before = False
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(folder, "credentials")
    os.environ["AWS_CONFIG_FILE"] = os.path.join(folder, "config")
    session = botocore.session.Session(profile="sidecar")
    keys = session.get_credentials().get_frozen_credentials()
    client = session.create_client("s3")
    return {"before": before, "key": keys.access_key, "secret": keys.secret_key, "token": keys.token,
            "region": client.meta.region_name, "endpoint": endpoint(session, client)}


answers = {}
for name in sorted(os.listdir(sys.argv[1])):
    try:
        answers[name] = found(os.path.join(sys.argv[1], name))
    except Exception as error:
        answers[name] = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(answers))

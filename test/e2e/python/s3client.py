"""A program on boto3 that knows a profile and nothing of gimme. It does what a
line of JSON says (see s3Call in s3client_test.go) and answers with one.

ENDPOINT is for versions that find no endpoint in a profile. VIRTUAL, if set, is
an address to which all names lead, with buckets in the name of the host."""

import json
import os
import socket
import sys
import urllib.parse

import boto3
from botocore.config import Config

settings, config = {}, None
version = tuple(int(part) for part in boto3.__version__.split(".")[:2])
if version < (1, 28):
    settings["endpoint_url"] = os.environ["ENDPOINT"]
if os.environ["VIRTUAL"]:
    host, port = os.environ["VIRTUAL"].rsplit(":", 1)
    settings["endpoint_url"] = os.environ["ENDPOINT"]
    config = Config(s3={"addressing_style": "virtual"})
    look_up = socket.getaddrinfo
    socket.getaddrinfo = lambda _, __, *rest, **more: look_up(host, int(port), *rest, **more)
client = boto3.client("s3", config=config, **settings)


def presign(operation, here):
    return {"url": client.generate_presigned_url(operation, Params=here, ExpiresIn=60)}


def save(body, path):
    with open(path, "wb") as to:
        for piece in body.iter_chunks(1 << 20):
            to.write(piece)


def put(call, here):
    with open(call["file"], "rb") as body:
        client.put_object(**here, Body=body)


def listed(call, _):
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=call["bucket"], Prefix=call["key"], PaginationConfig={"PageSize": 2})
    return {"keys": [o["Key"] for page in pages for o in page.get("Contents", [])]}


def paged(call, _):
    """All that a paginator gives, with encoded names decoded."""
    name, entries, ident = {
        "v1": ("list_objects", ["Contents"], None), "v2": ("list_objects_v2", ["Contents"], None),
        "versions": ("list_object_versions", ["Versions", "DeleteMarkers"], "VersionId"),
        "uploads": ("list_multipart_uploads", ["Uploads"], "UploadId"),
    }[call["way"]]
    asked = {"Bucket": call["bucket"], "Prefix": call["key"], "PaginationConfig": {"PageSize": call["page"]}}
    if call["delimiter"]:
        asked["Delimiter"] = call["delimiter"]
    decode = str
    if call["encoded"]:  # botocore decodes what it has asked for by itself
        asked["EncodingType"], decode = "url", urllib.parse.unquote_plus
    keys, prefixes = [], []
    for page in client.get_paginator(name).paginate(**asked):
        for kind in entries:
            keys += [decode(o["Key"]) + (" " + o[ident] if ident else "") for o in page.get(kind, [])]
        prefixes += [decode(p["Prefix"]) for p in page.get("CommonPrefixes", [])]
    return {"keys": keys, "prefixes": prefixes}


operations = {
    "put": put,
    "pages": paged,
    "get": lambda call, here: save(client.get_object(**here)["Body"], call["file"]),
    "range": lambda call, here: save(
        client.get_object(**here, Range=f"bytes={call['First']}-{call['Last']}")["Body"], call["file"]),
    "head": lambda call, here: {"size": client.head_object(**here)["ContentLength"]},
    "list": listed,
    "copy": lambda call, here: client.copy(here, call["bucket"], call["to"]),
    "upload": lambda call, here: client.upload_file(call["file"], call["bucket"], call["key"]),
    "download": lambda call, here: client.download_file(call["bucket"], call["key"], call["file"]),
    "delete": lambda call, here: client.delete_objects(
        Bucket=call["bucket"], Delete={"Objects": [{"Key": key} for key in call["keys"]]}),
    "presign get": lambda call, here: presign("get_object", here),
    "presign put": lambda call, here: presign("put_object", here),
    "put tags": lambda call, here: client.put_object_tagging(
        **here, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in call["tags"].items()]}),
    "get tags": lambda call, here: {
        "tags": {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(**here)["TagSet"]}},
}

for line in sys.stdin:
    call = json.loads(line)
    try:
        answer = operations[call["do"]](call, {"Bucket": call["bucket"], "Key": call["key"]})
        reply = {}
        for name in ("size", "keys", "prefixes", "url", "tags"):
            if answer and name in answer and call["do"] in ("head", "list", "pages", "presign get", "presign put", "get tags"):
                reply[name] = answer[name]
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)

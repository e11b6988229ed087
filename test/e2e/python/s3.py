"""A program on boto3, which knows nothing of gimme: it finds endpoint and keys
by AWS_PROFILE; versions that find no endpoint there are told it in ENDPOINT.
Arguments: COMMAND BUCKET KEY [BODY]. Prints JSON: what came of it, or the error
as the SDK shows it."""

import json
import os
import sys

import boto3
from botocore.exceptions import ClientError

version = tuple(int(part) for part in boto3.__version__.split(".")[:2])
client = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"] if version < (1, 28) else None)
command, bucket, key, *body = sys.argv[1:]
here = {"Bucket": bucket, "Key": key}
commands = {
    "put": lambda: {"etag": client.put_object(**here, Body=body[0].encode())["ETag"]},
    "get": lambda: {"body": client.get_object(**here)["Body"].read().decode()},
    "head": lambda: {"length": client.head_object(**here)["ContentLength"]},
    "list": lambda: {"keys": [o["Key"] for o in client.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])]},
    "delete": lambda: {"deleted": bool(client.delete_object(**here))},
}
try:
    print(json.dumps(commands[command]()))
except ClientError as error:
    answer = error.response
    print(json.dumps({
        "code": answer["Error"]["Code"],
        "message": answer["Error"]["Message"],
        "status": answer["ResponseMetadata"]["HTTPStatusCode"],
    }))

"""Sends requests of many kinds, signed by botocore, to a server that only
records them, so that what they are answered does not matter. The keys come by
the environment. Arguments: ENDPOINT BUCKET KEY... Prints as JSON the version
and what was presigned: method, URL and headers."""

import io
import json
import sys

import boto3
import botocore
from botocore.config import Config

endpoint, bucket, *keys = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, region_name="eu-west-1", config=Config(
    signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
presigned = []


def attempt(name, **arguments):
    try:
        getattr(client, name)(Bucket=bucket, **arguments)
    except Exception as error:  # what is not understood in the answer
        print(name, arguments, repr(error), file=sys.stderr)


def presign(method, name, headers=None, **arguments):
    url = client.generate_presigned_url(name, Params={"Bucket": bucket, **arguments}, ExpiresIn=900)
    presigned.append({"method": method, "url": url, "headers": headers or {}})


for key in keys:
    attempt("put_object", Key=key, Body=b"hello")
    attempt("get_object", Key=key, Range="bytes=0-1")
    presign("GET", "get_object", Key=key)

key = keys[0]
for algorithm in ["CRC32", "SHA1", "SHA256", "SHA512"]:
    attempt("put_object", Key=key, Body=b"hello", ChecksumAlgorithm=algorithm)
    attempt("upload_part", Key=key, Body=b"hello, part", PartNumber=3, UploadId="u+/=~", ChecksumAlgorithm=algorithm)
attempt("put_object", Key=key, Body=io.BytesIO(b"hello, stream"), ContentType="text/plain; charset=utf-8",
        Metadata={"spaces": "two  of  them", "tab": "a\tb", "empty": ""}, ACL="private", CacheControl="no-cache",
        ContentEncoding="gzip", Tagging="a=b&c=d%20e")
attempt("put_object", Key=key, Body=b"hello", IfNoneMatch="*")
attempt("put_object", Key=key, Body=b"hello", ContentMD5="XUFAKrxLKna5cZ2REBfFkg==", StorageClass="STANDARD")
attempt("head_object", Key=key, IfMatch='"e"', VersionId="v.1_~")
attempt("delete_object", Key=key)
attempt("copy_object", Key=key, CopySource={"Bucket": bucket, "Key": keys[-1]}, MetadataDirective="REPLACE")
attempt("list_objects_v2", Prefix=keys[-1], Delimiter="/", StartAfter="a b+c")
attempt("list_objects_v2", Prefix="", EncodingType="url", ContinuationToken="=+/&?")
attempt("put_object_tagging", Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b c"}]})
attempt("delete_objects", Delete={"Objects": [{"Key": k} for k in keys[:3]]})
attempt("create_multipart_upload", Key=key, Metadata={"a": "b"})
attempt("get_bucket_versioning")
presign("GET", "get_object", Key=key, VersionId="7", ResponseContentDisposition='attachment; filename="a b.csv"')
presign("GET", "list_objects_v2", Prefix="a b/+", Delimiter="/")
presign("PUT", "put_object", {"Content-Type": "text/plain"}, Key=key, ContentType="text/plain")
presign("PUT", "put_object", {"x-amz-acl": "private", "x-amz-meta-a": "b"}, Key=key, ACL="private", Metadata={"a": "b"})
presign("HEAD", "head_object", Key=key)
presign("DELETE", "delete_object", Key=key)
print(json.dumps({"signer": "botocore " + botocore.__version__, "presigned": presigned}))

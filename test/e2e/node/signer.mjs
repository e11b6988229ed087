// Sends requests of many kinds, signed by the AWS SDK for JavaScript, to a
// server that only records them, so that what they are answered does not matter.
// The keys come by the environment. Arguments: ENDPOINT BUCKET KEY... Prints as
// JSON the version and what was presigned: method, URL and headers.
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import * as s3 from '@aws-sdk/client-s3';
import { Md5 } from '@aws-sdk/checksums/md5';
import { Sha512 } from '@aws-sdk/checksums/sha';
import { Xxh3_128, Xxh3_64, Xxh64 } from '@aws-sdk/checksums/xxh';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

const [endpoint, Bucket, ...keys] = process.argv.slice(2);
const client = new s3.S3Client({
  endpoint, region: 'eu-west-1', forcePathStyle: true, maxAttempts: 1,
  checksumAlgorithms: { MD5: Md5, SHA512: Sha512, XXHASH64: Xxh64, XXHASH3: Xxh3_64, XXHASH128: Xxh3_128 }, // which are not among its own
});
const presigned = [];

async function attempt(name, input) {
  try {
    await client.send(new s3[name + 'Command']({ Bucket, ...input }));
  } catch (error) { // what is not understood in the answer
    console.error(name, String(error));
  }
}

async function presign(method, name, input, headers = {}, options = {}) {
  const url = await getSignedUrl(client, new s3[name + 'Command']({ Bucket, ...input }), { expiresIn: 900, ...options });
  presigned.push({ method, url, headers });
}

for (const Key of keys) {
  await attempt('PutObject', { Key, Body: 'hello' });
  await attempt('GetObject', { Key, Range: 'bytes=0-1' });
  await presign('GET', 'GetObject', { Key });
}

const Key = keys[0];
for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256', 'SHA512', 'XXHASH64', 'XXHASH3', 'XXHASH128']) {
  await attempt('PutObject', { Key, Body: 'hello', ChecksumAlgorithm });
  await attempt('PutObject', { Key, Body: Readable.from([Buffer.from('hello, '), Buffer.from('stream')]), ContentLength: 13, ChecksumAlgorithm });
  await attempt('UploadPart', { Key, Body: 'hello, part', PartNumber: 3, UploadId: 'u+/=~', ChecksumAlgorithm });
  await presign('PUT', 'PutObject', { Key, Body: 'hello', ChecksumAlgorithm });
}
await attempt('PutObject', { Key, Body: 'hello', ContentType: 'text/plain; charset=utf-8', Metadata: { spaces: 'two  of  them', tab: 'a\tb', empty: '' },
  ACL: 'private', CacheControl: 'no-cache', ContentEncoding: 'gzip', Tagging: 'a=b&c=d%20e', IfNoneMatch: '*' });
await attempt('PutObject', { Key, Body: 'hello', ChecksumAlgorithm: 'MD5' });
await attempt('PutObject', { Key, Body: 'hello', ContentMD5: 'XUFAKrxLKna5cZ2REBfFkg==', StorageClass: 'STANDARD' });
await attempt('HeadObject', { Key, IfMatch: '"e"', VersionId: 'v.1_~' });
await attempt('DeleteObject', { Key });
await attempt('CopyObject', { Key, CopySource: encodeURIComponent(Bucket + '/' + keys.at(-1)), MetadataDirective: 'REPLACE' });
await attempt('ListObjectsV2', { Prefix: keys.at(-1), Delimiter: '/', StartAfter: 'a b+c' });
await attempt('ListObjectsV2', { Prefix: '', EncodingType: 'url', ContinuationToken: '=+/&?' });
await attempt('PutObjectTagging', { Key, Tagging: { TagSet: [{ Key: 'a', Value: 'b c' }] } });
await attempt('DeleteObjects', { Delete: { Objects: keys.slice(0, 3).map((k) => ({ Key: k })) } });
await attempt('CreateMultipartUpload', { Key, Metadata: { a: 'b' } });
await attempt('GetBucketVersioning', {});
await presign('GET', 'GetObject', { Key, VersionId: '7', ResponseContentDisposition: 'attachment; filename="a b.csv"' });
await presign('GET', 'ListObjectsV2', { Prefix: 'a b/+', Delimiter: '/' });
await presign('PUT', 'PutObject', { Key, Body: 'hello', ContentType: 'text/plain' }, { 'Content-Type': 'text/plain' }, { signableHeaders: new Set(['content-type']) });
await presign('PUT', 'PutObject', { Key, Body: 'hello', ACL: 'private', Metadata: { a: 'b' } });
await presign('PUT', 'PutObject', { Key, Body: 'hello', ACL: 'private' }, { 'x-amz-acl': 'private' }, { unhoistableHeaders: new Set(['x-amz-acl']) });
await presign('PUT', 'PutObject', { Key }); // with the checksum of nothing in the URL
await presign('HEAD', 'HeadObject', { Key });
await presign('DELETE', 'DeleteObject', { Key });
const { version } = JSON.parse(readFileSync(new URL('node_modules/@aws-sdk/client-s3/package.json', import.meta.url)));
console.log(JSON.stringify({ signer: '@aws-sdk/client-s3 ' + version, presigned }));

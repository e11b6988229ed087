// A program on the AWS SDK for JavaScript that knows a profile and nothing of
// gimme. It does what a line of JSON says (see s3Call in s3client_test.go) and
// answers with one.
//
// VIRTUAL, if set, is an address to which all names lead; then ENDPOINT is a
// name, and buckets are put into the name of the host.
import dns from 'node:dns';
import fs from 'node:fs';
import readline from 'node:readline';
import { pipeline } from 'node:stream/promises';
import * as s3 from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

const { VIRTUAL, ENDPOINT } = process.env;
const settings = { maxAttempts: 1 };
if (VIRTUAL) {
  const address = VIRTUAL.split(':')[0];
  dns.lookup = (_, options, done) => (options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4));
  settings.endpoint = ENDPOINT;
}
const client = new s3.S3Client(settings);
const partSize = 8 * 1024 * 1024;

const save = async (body, path) => pipeline(body, fs.createWriteStream(path));
const range = (first, last) => `bytes=${first}-${last}`;
const source = (bucket, key) => `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;

// In parts by ranges, since lib-storage only uploads.
async function download(here, file) {
  const { ContentLength: size, ETag: IfMatch } = await client.send(new s3.HeadObjectCommand(here));
  const to = await fs.promises.open(file, 'w');
  let next = 0;
  await Promise.all(Array.from({ length: 4 }, async () => {
    while (next < size) {
      const first = next;
      next += partSize;
      const part = await client.send(new s3.GetObjectCommand({ ...here, IfMatch, Range: range(first, Math.min(next, size) - 1) }));
      await to.write(await part.Body.transformToByteArray(), 0, undefined, first);
    }
  }));
  await to.close();
}

async function list({ bucket: Bucket, key: Prefix }) {
  const keys = [];
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix })) {
    keys.push(...(page.Contents ?? []).map((o) => o.Key));
  }
  return { keys };
}

// All that a paginator gives. There is one for the second version alone.
async function pages({ bucket: Bucket, key: Prefix, delimiter, page: pageSize, way, encoded }) {
  if (way !== 'v2') throw new Error(`no paginator for ${way}`);
  const decode = encoded ? (name) => decodeURIComponent(name.replaceAll('+', ' ')) : (name) => name;
  const input = { Bucket, Prefix, Delimiter: delimiter || undefined, EncodingType: encoded ? 'url' : undefined };
  const reply = { keys: [], prefixes: [] };
  for await (const page of s3.paginateListObjectsV2({ client, pageSize }, input)) {
    reply.keys.push(...(page.Contents ?? []).map((o) => decode(o.Key)));
    reply.prefixes.push(...(page.CommonPrefixes ?? []).map((p) => decode(p.Prefix)));
  }
  return reply;
}

const operations = {
  put: (call, here) => client.send(new s3.PutObjectCommand({ ...here, Body: fs.createReadStream(call.file), ContentLength: fs.statSync(call.file).size })),
  get: async (call, here) => save((await client.send(new s3.GetObjectCommand(here))).Body, call.file),
  range: async (call, here) => save((await client.send(new s3.GetObjectCommand({ ...here, Range: range(call.First, call.Last) }))).Body, call.file),
  head: async (_, here) => ({ size: (await client.send(new s3.HeadObjectCommand(here))).ContentLength }),
  list,
  pages,
  copy: (call) => client.send(new s3.CopyObjectCommand({ Bucket: call.bucket, Key: call.to, CopySource: source(call.bucket, call.key) })),
  upload: (call, here) => new Upload({ client, partSize, params: { ...here, Body: fs.createReadStream(call.file) } }).done(),
  download: (call, here) => download(here, call.file),
  delete: (call) => client.send(new s3.DeleteObjectsCommand({ Bucket: call.bucket, Delete: { Objects: call.keys.map((Key) => ({ Key })) } })),
  'presign get': async (_, here) => ({ url: await getSignedUrl(client, new s3.GetObjectCommand(here), { expiresIn: 60 }) }),
  'presign put': async (_, here) => ({ url: await getSignedUrl(client, new s3.PutObjectCommand(here), { expiresIn: 60 }) }),
  'put tags': (call, here) => client.send(new s3.PutObjectTaggingCommand({ ...here, Tagging: { TagSet: Object.entries(call.tags).map(([Key, Value]) => ({ Key, Value })) } })),
  'get tags': async (_, here) => ({
    tags: Object.fromEntries((await client.send(new s3.GetObjectTaggingCommand(here))).TagSet.map((t) => [t.Key, t.Value])),
  }),
};
const telling = new Set(['head', 'list', 'pages', 'presign get', 'presign put', 'get tags']);

for await (const line of readline.createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  let reply = {};
  try {
    const answer = await operations[call.do](call, { Bucket: call.bucket, Key: call.key });
    if (telling.has(call.do)) reply = answer;
  } catch (error) {
    reply = { error: `${error.name}: ${error.message}` };
  }
  console.log(JSON.stringify(reply));
}

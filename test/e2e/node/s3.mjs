// A program on the AWS SDK for JavaScript, which knows nothing of gimme: it
// finds endpoint and keys by AWS_PROFILE. Arguments: COMMAND BUCKET KEY [BODY].
// Prints JSON: what came of it, or the error as the SDK shows it.
import { S3Client, PutObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, DeleteObjectCommand } from '@aws-sdk/client-s3';

const client = new S3Client({ maxAttempts: 1 });
const [command, Bucket, Key, Body] = process.argv.slice(2);
const commands = {
  put: async () => ({ etag: (await client.send(new PutObjectCommand({ Bucket, Key, Body }))).ETag }),
  get: async () => ({ body: await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body.transformToString() }),
  head: async () => ({ length: (await client.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength }),
  list: async () => ({ keys: ((await client.send(new ListObjectsV2Command({ Bucket, Prefix: Key }))).Contents ?? []).map((o) => o.Key) }),
  delete: async () => ({ deleted: Boolean(await client.send(new DeleteObjectCommand({ Bucket, Key }))) }),
};
try {
  console.log(JSON.stringify(await commands[command]()));
} catch (error) {
  console.log(JSON.stringify({ code: error.name, message: error.message, status: error.$metadata?.httpStatusCode }));
}

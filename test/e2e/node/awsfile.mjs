// Reads AWS files as the AWS SDK for JavaScript does: see python/awsfile.py.
// The SDK keeps files by their path, so that each folder has paths of its own.
import fs from 'node:fs';
import path from 'node:path';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';

const root = process.argv[2];
process.env.AWS_PROFILE = 'sidecar';
const answers = {};
for (const name of fs.readdirSync(root).sort()) {
  process.env.AWS_SHARED_CREDENTIALS_FILE = path.join(root, name, 'credentials');
  process.env.AWS_CONFIG_FILE = path.join(root, name, 'config');
  try {
    let asked = {};
    const requestHandler = { handle: async (request) => { asked = request; throw new Error('as far as it goes'); } };
    const client = new S3Client({ maxAttempts: 1, requestHandler });
    const { config } = client;
    const keys = await config.credentials();
    await client.send(new ListBucketsCommand({})).catch(() => {});
    answers[name] = {
      key: keys.accessKeyId, secret: keys.secretAccessKey, token: keys.sessionToken,
      region: await config.region(), endpoint: `${asked.protocol}//${asked.hostname}`,
    };
  } catch (error) {
    answers[name] = { error: `${error.name}: ${error.message}` };
  }
}
console.log(JSON.stringify(answers));

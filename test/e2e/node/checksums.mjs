// Prints the vectors of pkg/checksum/testdata/sums.json, as the AWS SDK for
// JavaScript computes them. Byte i of each text is (7*i + 3) mod 251.
import { Crc32, Crc32c, Crc64Nvme } from '@aws-sdk/checksums/crc';
import { Md5 } from '@aws-sdk/checksums/md5';
import { Sha1, Sha256, Sha512 } from '@aws-sdk/checksums/sha';
import { Xxh3_128, Xxh3_64, Xxh64 } from '@aws-sdk/checksums/xxh';

const algorithms = {
  crc32: Crc32, crc32c: Crc32c, crc64nvme: Crc64Nvme, md5: Md5, sha1: Sha1, sha256: Sha256, sha512: Sha512,
  xxhash128: Xxh3_128, xxhash3: Xxh3_64, xxhash64: Xxh64,
};
// XXH3 has other code for up to 3, 8, 16, 128, 240 bytes, and for whole stripes and blocks.
const lengths = [0, 1, 3, 4, 8, 9, 16, 17, 31, 32, 33, 128, 129, 240, 241, 1023, 1024, 1025, 65536, 100000];
const vectors = [];
for (const length of lengths) {
  const text = Uint8Array.from({ length }, (_, i) => (7 * i + 3) % 251);
  const sums = {};
  for (const [name, Algorithm] of Object.entries(algorithms)) {
    const hash = new Algorithm();
    hash.update(text);
    sums['x-amz-checksum-' + name] = Buffer.from(await hash.digest()).toString('base64');
  }
  vectors.push({ length, sums });
}
console.log(JSON.stringify(vectors, null, 1));

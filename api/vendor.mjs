// Copies what the page ships of others, byte for byte from the pinned npm packages; --check compares.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const FILES = {
  "noble-hashes/sha3.js": "@noble/hashes/sha3.js",
  "noble-hashes/sha2.js": "@noble/hashes/sha2.js",
  "noble-hashes/_md.js": "@noble/hashes/_md.js",
  "noble-hashes/_u64.js": "@noble/hashes/_u64.js",
  "noble-hashes/utils.js": "@noble/hashes/utils.js",
  "noble-hashes/LICENSE": "@noble/hashes/LICENSE",
  "noble-secp256k1/index.js": "@noble/secp256k1/index.js",
  "noble-secp256k1/LICENSE": "@noble/secp256k1/LICENSE",
};
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const checking = process.argv.includes("--check");
const different = [];

for (const [name, source] of Object.entries(FILES)) {
  const target = here(`static/vendor/${name}`);
  const wanted = readFileSync(here(`../node_modules/${source}`));
  if (!checking) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, wanted);
  } else if (!wanted.equals(readFileSync(target))) {
    different.push(name);
  }
}
if (different.length) {
  console.error(`not what npm has: ${different.join(", ")}; run npm run vendor`);
  process.exit(1);
}

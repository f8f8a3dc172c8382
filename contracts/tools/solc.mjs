#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// Stands in for a native solc: the compiler comes from npm as WebAssembly, and forge wants an executable.
// forge asks two things only, the version and one standard-JSON compilation that holds every source already.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc");
const wanted = process.argv.slice(2);

if (wanted.includes("--version")) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (wanted.includes("--standard-json")) {
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
} else {
  process.stderr.write("solc.mjs: only --version and --standard-json are answered\n");
  process.exitCode = 1;
}

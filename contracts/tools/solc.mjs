#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// Stands in for a native solc: the compiler comes from npm as WebAssembly, and forge wants an executable.
// forge asks two things only, the version and one standard-JSON compilation that holds every source already.
// Where FOOTNOTE_SOLC names a socket, a compiler that is running already answers (see mutants.mjs).

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

const wanted = process.argv.slice(2);

if (wanted.includes("--version")) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${await ask("")}\n`);
} else if (wanted.includes("--standard-json")) {
  process.stdout.write(await ask(readFileSync(0, "utf8")));
} else {
  process.stderr.write("solc.mjs: only --version and --standard-json are answered\n");
  process.exitCode = 1;
}

/** What the compiler makes of a standard-JSON input, or its version for an empty one. */
async function ask(input) {
  if (process.env.FOOTNOTE_SOLC) return text(connect(process.env.FOOTNOTE_SOLC).end(input));
  const solc = createRequire(import.meta.url)("solc");
  return input ? solc.compile(input) : solc.version();
}

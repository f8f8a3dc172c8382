// SPDX-License-Identifier: Apache-2.0
//
// Which mutants a Solidity source has: each differs from it in one line, by one small mistake.

/** [pattern, replacements]: each occurrence in a line is changed by itself, to each replacement. */
const SWAPS = [
  [/ < /, [" <= ", " > "]],
  [/ <= /, [" < ", " > "]],
  [/ > /, [" >= ", " < "]],
  [/ >= /, [" > ", " < "]],
  [/ == /, [" != "]],
  [/ != /, [" == "]],
  // Nothing unsigned lies below zero, so against zero these two change nothing or say the same.
  [/ != (?!0|\w+\(0\))/, [" < ", " > "]],
  [/ && /, [" || "]],
  [/ \|\| /, [" && "]],
  [/ \+ /, [" - "]],
  [/ - /, [" + "]],
  [/ \+= /, [" -= ", " = "]],
  [/ -= /, [" += ", " = "]],
  [/ \|= /, [" = ", " &= ", " ^= "]],
  [/ &= /, [" |= ", " = "]],
  [/ & /, [" | ", " ^ "]],
  [/ \| /, [" & "]],
  [/~/, [""]],
  [/ >> /, [" << "]],
  [/\+\+(?=\w)/, ["--"]],
  [/\btrue\b/, ["false"]],
  [/\bfalse\b/, ["true"]],
  [/\bmsg\.sender\b/, ["address(0)"]],
  [/\bmsg\.value\b/, ["0"]],
  [/\bblock\.timestamp\b/, ["0"]],
  [/\bbytes32\(0\)/, ["bytes32(uint256(1))"]],
  [/(?<![\w.]|bytes32\()0(?![\w.])/, ["1"]],
  [/(?<![\w."])([1-9]\d*)(?![\w."]| days)/, ["($1 + 1)", "($1 - 1)"]],
  [/\b(\d+) days\b/, ["($1 days + 1)", "($1 days - 1)"]],
  [/\btype\(\w+\)\.max/, ["($& - 1)"]],
  [/"([^"]*)"/, ['"$1x"']],
  [/\buint\d+\((\w+)\)/, ["$1"]],
  [/Math\.min\((.+), (.+?)\)/, ["$1", "$2"]],
  [/Rounding\.Ceil/, ["Rounding.Floor"]],
  [/(?<=^ +(?:function .*)?)\b(?:nonReentrant|onlyGuardianOrAdmin)\b/, [""]],
  [/\b(?:whenNotPaused|onlyOwner|onlyDatanetOwner|onlyRole)\([\w.]+\)/, [""]],
];

/** Lines that hold no behaviour of their own: comments, imports, declarations, a struct's fields, closing braces. */
const INERT = [
  /^\s*(?:\/\/|import|pragma|event|error|struct|using|mapping|contract|}|$)/,
  /^\s*(?:uint\d*|address|bytes\d*|bool) \w+;$/,
];

/**
 * All mutants of one source, in the order of its lines. Mutants are known by their content (`file`, `scope`, `line`,
 * `mutation`), never by a line's number, so that a list of them outlives changes elsewhere in the file.
 */
export function mutantsOf(file, source) {
  const found = [];
  const seen = new Map();
  let scope = "contract";
  for (const [index, text] of source.split("\n").entries()) {
    const named = text.match(/^ {4}(?:function (\w+)|(constructor)|modifier (\w+))/);
    if (named) scope = named[1] ?? named[2] ?? named[3];
    const line = text.trim();
    for (const [mutation, mutated] of mutationsOf(text)) {
      const key = JSON.stringify([scope, line, mutation]);
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      found.push({ file, scope, line, mutation: ordinal(mutation, before), number: index + 1, mutated });
    }
  }
  return found;
}

/** Pairs of a mutation's name and the line that it makes; no line twice, and never the line itself. */
function mutationsOf(text) {
  if (INERT.some((pattern) => pattern.test(text))) return [];
  const code = text.replace(/\s*\/\/.*$/, "");
  const made = new Map();
  for (const [mutation, mutated] of [...omissions(code), ...swaps(code)]) {
    if (mutated !== code && !made.has(mutated)) made.set(mutated, mutation);
  }
  return [...made].map(([mutated, mutation]) => [mutation, mutated]);
}

/** Checks that never or always refuse, and steps that are left out. */
function* omissions(code) {
  const check = code.match(/^(\s*if )\((.+)\)( revert .*;| \{| _\w+.*;| return .*;| \w[\w.]* = .*;|)$/);
  if (check) {
    yield ["never", `${check[1]}(false)${check[3]}`];
    yield ["always", `${check[1]}(true)${check[3]}`];
    // A single comparison is negated by a swap.
    if (!/^[^&|]+ [!=]= [^&|]+$/.test(check[2])) yield ["negated", `${check[1]}(!(${check[2]}))${check[3]}`];
  }
  if (/^\s+(?:delete |emit |return\b|\w[\w.]*\(|[\w.[\]]+ (?:[+|&-]?=) ).*;$/.test(code)) yield ["dropped", ""];
  const assigned = code.match(/^(\s{8,})(\w[\w.[\]]*) = (?!0;).*;$/);
  if (assigned) yield ["unset", `${assigned[1]}delete ${assigned[2]};`];
  const declared = code.match(/^(\s{8,}(?:uint\d*|address|bytes32|bool) \w+) = .*;$/);
  if (declared) yield ["unset", `${declared[1]};`];
  const field = code.match(/^(\s{12,}\w+: )([^,]+(?:\(.*\))?)(,?)$/);
  if (field) {
    yield ["number unset", `${field[1]}0${field[3]}`];
    yield ["hash unset", `${field[1]}bytes32(0)${field[3]}`];
  }
}

function* swaps(code) {
  for (const [pattern, replacements] of SWAPS) {
    for (const [nth, match] of [...code.matchAll(new RegExp(pattern, "g"))].entries()) {
      for (const replacement of replacements) {
        const put = replacement.replace("$&", match[0]).replace(/\$(\d)/g, (_, group) => match[group]);
        const name = `${match[0].trim()} → ${put.trim() || "nothing"}`;
        yield [ordinal(name, nth), code.slice(0, match.index) + put + code.slice(match.index + match[0].length)];
      }
    }
  }
}

const ordinal = (name, before) => (before ? `${name} (${before + 1})` : name);

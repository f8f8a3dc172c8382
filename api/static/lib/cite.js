// An answer in the words of other tools, its citations with it.

const at = (path) => new URL(path, location.href).href;

/** Markdown with footnotes; what is no part of the answer's own form is escaped. */
export function markdown(answer) {
  const notes = answer.citations.map((one) =>
    `[^${one.marker}]: “${line(one.cited_text)}” — ${line(one.source.title)}, characters ` +
    `${one.source_span.start} to ${one.source_span.end} of version \`${one.source.version}\` (${one.verdict}): ` +
    `<${at(`/evidence/${answer.id}/${one.id}`)}>`);
  const text = escaped(answer.text).replace(/\\\[(\d+)\\\]/g, "[^$1]");
  return [`**${line(answer.question)}**`, text, notes.join("\n"),
    `Answered from ${line(answer.datanet)} by Footnote: <${at(`/answers/${answer.id}`)}>`]
    .filter(Boolean).join("\n\n") + "\n";
}

function escaped(text) {
  return text.replace(/[\\`*_{}[\]<>#|]/g, "\\$&");
}

function line(text) {
  return escaped(text.replace(/\s+/g, " ").trim());
}

/** One entry for each document that is cited. */
export function bibtex(answer) {
  const byVersion = new Map();
  for (const one of answer.citations) {
    const known = byVersion.get(one.source.version) ?? { ...one, spans: [] };
    known.spans.push(`${one.source_span.start}--${one.source_span.end}`);
    byVersion.set(one.source.version, known);
  }
  const year = new Date(answer.receipt.issued_at * 1000).getUTCFullYear();
  return [...byVersion.values()].map((one) => {
    const names = one.contributors.map((person) => person.name ?? person.address);
    const fields = {
      title: `{${tex(one.source.title)}}`,
      author: names.map((name) => `{${tex(name)}}`).join(" and "),
      url: (one.source.url ?? at(`/evidence/${answer.id}/${one.id}`)).replace(/[{}\\%\s]/g, (sign) => (sign === "%" ? sign : encodeURIComponent(sign))),
      note: `${tex(one.source.document_id)}, version ${one.source.version}, characters ${one.spans.join(", ")}; ` +
        `evidence: \\url{${at(`/evidence/${answer.id}/${one.id}`)}}`,
      year,
    };
    const key = `${one.source.document_id.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "")}-${one.source.version.slice(7, 15)}`;
    const body = Object.entries(fields).map(([name, value]) => `  ${name} = {${value}},`).join("\n");
    return `@misc{${key},\n${body}\n}\n`;
  }).join("\n");
}

const TEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };

function tex(text) {
  return text.replace(/\s+/g, " ").replace(/[\\{}$&#%_~^]/g, (sign) => TEX[sign] ?? `\\${sign}`);
}

// Documents into a Datanet: chosen or dropped, sent, and followed until they are indexed.

import { get, post } from "../lib/api.js";
import { element, fill, problemCard, say } from "../lib/dom.js";
import { counted } from "../lib/show.js";

const LOOK_MILLISECONDS = 500;
const FORMATS = ".md,.txt,.html,.htm,.pdf,.docx,.jsonl,.json";
const FAVOURITE = "footnote-contributor";
const MOST_FILES = 200;
let made = 0;

for (const kind of ["dragover", "drop"]) { // beside the form a browser would leave the page for the file
  document.addEventListener(kind, (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
}

/** A form that sends documents to `datanet`, or to one that is named in it. `done` runs after. */
export function uploadForm(datanet, done = () => {}) {
  const [id, chosen] = [`upload-${(made += 1)}`, []];
  const name = element("input", { id: `${id}-name`, required: true, pattern: "[a-z0-9][a-z0-9\\-]*", maxlength: 63, placeholder: "handbook" });
  const contributor = element("input", { id: `${id}-contributor`, required: true, pattern: "0x[0-9a-fA-F]{40}", placeholder: "0x…", autocomplete: "off" });
  contributor.value = localStorage.getItem(FAVOURITE) ?? "";
  const license = element("input", { id: `${id}-license`, required: true, maxlength: 200, value: "CC-BY-4.0" });
  const files = element("input", { id: `${id}-files`, type: "file", multiple: true, accept: FORMATS, class: "files", onchange: () => take(files.files) });
  const names = element("p", { class: "small", role: "status" }, "Nothing chosen yet.");
  const zone = element("label", { for: `${id}-files`, class: "drop" },
    element("strong", {}, "Drop documents here, or choose them"),
    element("span", { class: "small" }, "Markdown, text, HTML, PDF, Word, JSON Lines"), files);
  const outcome = element("div", { class: "outcome" });
  const button = element("button", { type: "submit", class: "main" }, "Upload");
  const form = element("form", { class: "upload" },
    datanet ? null : field("Name", name, "Small letters, digits and hyphens."),
    zone, names,
    field("Contributor", contributor, "Who is paid where a document names nobody."),
    field("Licence", license, "Of documents that name none."),
    button, outcome);

  function take(list) {
    chosen.splice(0, chosen.length, ...list);
    const size = chosen.reduce((sum, file) => sum + file.size, 0);
    names.textContent = chosen.length
      ? `${counted(chosen.length, "file")}, ${Math.ceil(size / 1024)} KiB: ${chosen.slice(0, 5).map((file) => file.name).join(", ")}${chosen.length > 5 ? "…" : ""}`
      : "Nothing chosen yet.";
  }

  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => take(event.dataTransfer.files));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!chosen.length) return fill(outcome, problemCard(new Error("Choose at least one document.")));
    if (chosen.length > MOST_FILES) return fill(outcome, problemCard(new Error(`Choose at most ${MOST_FILES} documents at once.`)));
    localStorage.setItem(FAVOURITE, contributor.value);
    const body = new FormData();
    body.set("contributor", contributor.value);
    body.set("license", license.value);
    for (const file of chosen) body.append("file", file, file.name);
    button.disabled = true;
    await follow(outcome, () => post(`/v1/datanets/${encodeURIComponent(datanet ?? name.value)}/documents`, body), done);
    button.disabled = false;
  });
  return form;
}

function field(label, input, hint) {
  return element("div", { class: "field" }, element("label", { for: input.id }, label), input, element("span", { class: "small" }, hint));
}

/** Show a job from its start to its end; `start` gives it. */
export async function follow(place, start, done = () => {}) {
  const bar = element("progress", { "aria-label": "How far it is" });
  const text = element("p", { class: "progress" }, "Sending…");
  fill(place, bar, text);
  try {
    let job = await start();
    const address = `/v1/datanets/${encodeURIComponent(job.datanet)}/jobs/${job.id}`;
    while (job.state === "queued" || job.state === "running") {
      shown(job, bar, text);
      await new Promise((go) => setTimeout(go, LOOK_MILLISECONDS));
      job = await get(address);
    }
    fill(place, ended(job));
    say(job.state === "done" ? "Done." : "It failed.");
    if (job.state === "done") await done(job);
  } catch (error) {
    fill(place, problemCard(error));
  }
}

function shown(job, bar, text) {
  const { progress } = job;
  if (progress && progress.total) {
    bar.max = progress.total;
    bar.value = progress.done;
    text.textContent = `${progress.stage}: ${progress.done} of ${counted(progress.total, progress.unit.replace(/s$/, ""))}`;
  } else {
    bar.removeAttribute("value");
    text.textContent = job.state === "queued" ? "Waiting for its turn…" : "Beginning…";
  }
}

function ended(job) {
  if (job.state === "failed") {
    return problemCard(new Error(`${job.error.detail} ${job.error.what_to_do}`), "The job failed");
  }
  if (!job.files.length) return element("article", { class: "card good" }, element("p", {}, "Ruled. It counts for answers from now on."));
  const { added, changed, unchanged, refused } = job.counts;
  return element("article", { class: refused ? "card problem" : "card good" },
    element("p", {}, `${added} added, ${changed} changed, ${unchanged} unchanged, ${refused} refused. `,
      added + changed ? element("a", { href: `/?datanet=${encodeURIComponent(job.datanet)}` }, `Ask ${job.datanet}`) : null),
    job.refused.length
      ? element("ul", {}, job.refused.map((one) =>
          element("li", {}, element("strong", {}, one.document_id || one.file), ` ${one.detail}: ${one.what_to_do}`)))
      : null);
}

// The upload page: takes what is dropped or chosen, shows it on its way, then what was understood.

import { text } from "./sentences.js";
import { chosen, dropped } from "./upload_files.js";
import { Row } from "./upload_row.js";
import { Sending, sentenceOf } from "./upload_sending.js";

const byId = (id) => document.getElementById(id);
const area = byId("drop");
const { csrf, patient } = area.dataset;
const limit = Number(area.dataset.limit);
const headers = { "X-CSRF-Token": csrf };
const rows = new Map();
let beginning = null;

const sending = new Sending(address, csrf, (item) => rows.get(item)?.show(item), finished);
area.hidden = false;
byId("choose-files").addEventListener("click", () => byId("files").click());
byId("choose-folder").addEventListener("click", () => byId("folder").click());
for (const id of ["files", "folder"]) {
  byId(id).addEventListener("change", (event) => {
    add(chosen(event.target));
    event.target.value = "";
  });
}
// A drop beside the area must not make the browser open the file.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
document.addEventListener("dragover", () => area.classList.add("over"));
document.addEventListener("dragleave", () => area.classList.remove("over"));
document.addEventListener("drop", async (event) => {
  area.classList.remove("over");
  try {
    add(await dropped(event.dataTransfer));
  } catch {
    trouble(text("script_upload.unreadable_drop"));
  }
});
window.addEventListener("beforeunload", (event) => {
  if (sending.busy) event.preventDefault();
});

function add(items) {
  trouble("");
  const some = items.filter((item) => item.files.length > 0);
  if (some.length === 0) return trouble(text("script_upload.no_file"));
  const size = [...rows.keys(), ...some].flatMap((item) => (item.leftOut ? [] : item.files))
    .reduce((sum, each) => sum + each.file.size, 0);
  if (size > limit) return trouble(text("script_upload.too_large"));
  byId("received").hidden = false;
  byId("understood").replaceChildren();
  for (const item of some) {
    const row = new Row(item, () => sending.retry(item), () => sending.leaveOut(item));
    rows.set(item, row);
    byId("items").append(row.element);
  }
  some.forEach((item) => sending.add(item));
}

// The address of this upload; the first file makes it, all others wait for it.
function address() {
  const held = document.querySelector("form.understood")?.dataset.upload;
  if (held && !beginning) beginning = Promise.resolve(`/upload/held/${held}`);
  beginning ??= begin();
  beginning.catch(() => { beginning = null; });
  return beginning;
}

async function begin() {
  const answer = await fetch("/upload/held", { method: "POST", headers });
  if (!answer.ok) throw new Error(sentenceOf(await answer.text()));
  return `/upload/held/${(await answer.json()).upload}`;
}

async function finished() {
  const items = [...rows.keys()];
  const broken = items.some((item) => item.failed.length > 0);
  if (broken || !items.some((item) => item.done > 0)) return;
  byId("looking").hidden = false;
  try {
    await look(await address());
  } catch (error) {
    trouble(error.message);
  } finally {
    byId("looking").hidden = true;
  }
}

async function look(place) {
  const query = patient === "unassigned" ? "" : `?patient=${encodeURIComponent(patient)}`;
  const answer = await fetch(`${place}/look${query}`, { method: "POST", headers });
  const html = await answer.text();
  if (!answer.ok) throw new Error(sentenceOf(html));
  if (sending.busy) return;
  const target = byId("understood");
  target.innerHTML = html;
  window.htmx.process(target);
  byId("understood-title").focus();
}

function trouble(sentence) {
  byId("trouble").textContent = sentence;
  byId("trouble").hidden = !sentence;
}

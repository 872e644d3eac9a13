// The worklist while it is open: rows change in place, new ones are told above, j and k move over them.

const table = document.getElementById("worklist");
const button = document.getElementById("show-news");
const rows = () => [...(table?.tBodies[0].rows ?? [])];
const seen = new Map(rows().map((row) => [row.id, row.outerHTML]));

async function refresh() {
  const ids = rows().map((row) => row.id.slice("row-".length)).join(",");
  const address = new URL(button.dataset.rows, location.href);
  address.searchParams.set("ids", ids);
  address.searchParams.set("since", document.body.dataset.mark);
  const answer = await fetch(address).catch(() => null); // without a line live.js says so
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const row of fresh.querySelectorAll("tbody tr")) change(row);
  fill("standing", fresh);
  tell(fresh.getElementById("news").textContent.trim());
}

function change(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || seen.get(fresh.id) === fresh.outerHTML) return;
  seen.set(fresh.id, fresh.outerHTML);
  const wasInside = old.contains(document.activeElement);
  const wasOpen = old.querySelector("details")?.open;
  const wasChosen = box(old)?.checked;
  old.replaceWith(document.adoptNode(fresh));
  if (wasChosen && box(fresh)) box(fresh).checked = true;
  if (wasOpen) fresh.querySelector("details")?.setAttribute("open", "");
  if (wasInside) fresh.querySelector("a.open, a")?.focus();
  if (bulk) count();
}

function fill(id, fresh) {
  const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
  if (old.textContent === now.textContent || old.contains(document.activeElement)) return;
  old.replaceChildren(...now.childNodes);
}

function tell(words) {
  const news = document.getElementById("news");
  if (news.textContent !== words) news.textContent = words;
  button.hidden = words === "";
}

function move(step) {
  const all = rows();
  const here = all.findIndex((row) => row.contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step;
  all[Math.max(0, Math.min(next, all.length - 1))]?.querySelector("a.open, a")?.focus();
}

// The rows that are chosen, and what is done about them together.

const bulk = document.getElementById("bulk");
const chooseAll = document.getElementById("choose-all");
const boxes = () => rows().map(box).filter(Boolean);

function box(row) {
  return row.querySelector("input[name=scan]");
}

function count() {
  const all = boxes();
  const chosen = all.filter((each) => each.checked).length;
  const said = bulk.querySelector(".chosen");
  said.textContent = said.dataset.words.replace("{count}", chosen);
  bulk.hidden = chosen === 0;
  chooseAll.checked = chosen > 0 && chosen === all.length;
  chooseAll.indeterminate = chosen > 0 && chosen < all.length;
}

function choose() {
  const row = rows().find((each) => each.contains(document.activeElement));
  const chosen = row && box(row);
  if (!chosen) return;
  chosen.checked = !chosen.checked;
  count();
}

if (bulk) {
  chooseAll.hidden = false;
  chooseAll.addEventListener("change", () => {
    for (const each of boxes()) each.checked = chooseAll.checked;
    count();
  });
  table.addEventListener("change", count);
  // Enter does what stands beside the field, not what stands first.
  bulk.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    bulk.requestSubmit(event.target.closest(".group").querySelector("button"));
  });
  window.addEventListener("pageshow", count); // a browser may bring chosen rows back
  document.querySelector('[data-key="x"]').addEventListener("click", choose);
  count();
}

// Columns are moved up by buttons; the form sends them in the order in which they stand.

for (const up of document.querySelectorAll(".columns .up")) {
  up.hidden = false;
  up.addEventListener("click", () => {
    const item = up.closest("li");
    item.previousElementSibling?.before(item);
    up.focus();
  });
}

button.addEventListener("click", () => { location.assign(button.dataset.list); });
document.querySelector('[data-key="j"]').addEventListener("click", () => move(1));
document.querySelector('[data-key="k"]').addEventListener("click", () => move(-1));
document.body.addEventListener("gliowatch:changed", refresh);

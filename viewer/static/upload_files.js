// Which files a person dropped or chose: folders are walked through, each thing dropped is one item.

const MOST_FILES = 5000;

// Items of a drop: {label, files: [{path, file}]}, a folder being one of them.
export async function dropped(transfer) {
  // all at once: after the first wait the browser has forgotten the rest
  const found = [...transfer.items].map((item) => item.webkitGetAsEntry?.() || item.getAsFile());
  const items = [];
  for (const each of found.filter(Boolean)) {
    const files = each instanceof File ? [{ path: each.name, file: each }] : [];
    if (files.length === 0) await walk(each, "", files);
    items.push({ label: each.name, files });
  }
  return items;
}

// Items of an <input type="file">: one a file, or one a folder that was chosen whole.
export function chosen(input) {
  const folders = new Map();
  for (const file of input.files) {
    const path = file.webkitRelativePath || file.name;
    const label = path.split("/")[0];
    const key = file.webkitRelativePath ? label : `${folders.size} ${label}`;
    if (!folders.has(key)) folders.set(key, { label, files: [] });
    if (!path.split("/").some(hidden)) folders.get(key).files.push({ path, file });
  }
  return [...folders.values()];
}

async function walk(entry, above, files) {
  if (hidden(entry.name) || files.length > MOST_FILES) return;
  const path = above + entry.name;
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    files.push({ path, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {  // a reader gives at most a hundred at a time
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return;
    for (const each of some) await walk(each, `${path}/`, files);
  }
}

// What needs no transfer; the server leaves out more of what systems and tools make.
const LEFT_OUT = ["thumbs.db", "desktop.ini", "@eadir", "#recycle", "@recycle", "__macosx"];

function hidden(name) {
  return name.startsWith(".") || LEFT_OUT.includes(name.toLowerCase());
}

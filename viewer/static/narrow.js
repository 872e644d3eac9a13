// On a narrow screen: cells of a table carry the heading of their column, as rows become cards
// (narrow.css), and what takes much room opens by a button.

function label(table) {
  const headings = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => (
    cell.querySelector(".hidden") ? "" : cell.textContent.replace(/[↑↓]/g, "").trim()
  ));
  for (const row of [...table.tBodies].flatMap((body) => [...body.rows])) {
    let column = 0;
    for (const cell of row.cells) {
      if (!cell.textContent.trim() && !cell.querySelector("img, input, button")) cell.dataset.empty = "";
      cell.dataset.label = cell.colSpan > 1 ? "" : headings[column] ?? "";
      column += cell.colSpan;
    }
  }
}

function labelAll() {
  for (const table of document.querySelectorAll(".overflow-auto > table:not(.worklist)")) label(table);
}

// What a button unfolds, such as the navigation, is all there without this script.
for (const button of document.querySelectorAll("[data-unfolds]")) {
  const folded = button.closest(button.dataset.unfolds);
  folded.classList.add("folded");
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", folded.classList.toggle("open"));
  });
}

labelAll();
document.body.addEventListener("htmx:afterSettle", labelAll);

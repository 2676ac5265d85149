"use strict";
// Sorts a table by the column whose header is pressed.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const numbers = header.classList.contains("number");
      const before = header.getAttribute("aria-sort");
      const falling = before ? before === "ascending" : numbers;
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [row.cells[column].dataset.value, row.cells[column].textContent, row]);
      rows.sort(([a, text], [b, other]) => {
        if (numbers && (a === undefined || b === undefined)) return (a === undefined) - (b === undefined);
        const order = numbers ? a - b : text.localeCompare(other, undefined, { numeric: true });
        return falling ? -order : order;
      });
      body.append(...rows.map(([, , row]) => row));
    });
  });
}

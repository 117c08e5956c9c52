// The little that htmx does not do: copying, and asking before what cannot be undone.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy it by hand";
  }
  setTimeout(() => { button.textContent = before; }, 2000);
});

// A search within a form narrows what the form offers; Enter is not to send the form.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input[data-stays]")) event.preventDefault();
});

// What refreshes itself does not while nobody sees it.
document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
});

// One check box ticks all others of its form.
document.addEventListener("change", (event) => {
  if (!event.target.matches("input[data-all]")) return;
  for (const box of event.target.form.querySelectorAll(`input[name="${event.target.dataset.all}"]`)) box.checked = event.target.checked;
});

// A file that would be refused for its size is not sent at all.
document.addEventListener("change", (event) => {
  const input = event.target;
  if (!input.matches("input[type=file][data-largest]")) return;
  const mebi = Number(input.dataset.largest);
  const large = [...input.files].some((file) => file.size > mebi * 1024 * 1024);
  input.setCustomValidity(large ? `The file is larger than ${mebi} MiB. Split it into several.` : "");
  input.reportValidity();
});

// On a phone the navigation is wider than the window: begin with the section one is in.
const here = document.querySelector("header nav [aria-current]");
if (here) here.closest("nav").scrollTo({ left: here.offsetLeft - 24 });

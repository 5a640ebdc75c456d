// What pages gain with JavaScript: times in the reader's zone, countdowns, copying, dialogs, lists to filter. Everything
// works without it.
"use strict";

const live = document.getElementById("live");

// announce has a screen reader say a text.
function announce(text) {
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = text; });
}

const dateTime = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});
const onlyDate = new Intl.DateTimeFormat(undefined, {dateStyle: "medium"});
const exactTime = new Intl.DateTimeFormat(undefined, {dateStyle: "full", timeStyle: "long"});
const relative = new Intl.RelativeTimeFormat("en", {numeric: "always"});
const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

// distance returns how far an instant is, in the largest unit that it has two of, rounded. The server has the same rule.
function distance(seconds) {
  const far = Math.abs(seconds);
  for (const [unit, size] of units) {
    if (far < 2 * size && size > 1) continue;
    const n = Math.round(far / size);
    return n === 0 ? "now" : relative.format(seconds < 0 ? -n : n, unit);
  }
}

// The server's clock decides when a key ends: the page counts from the Date of its own load.
function showTimes() {
  for (const element of document.querySelectorAll("time[data-time]")) {
    const at = new Date(element.dateTime);
    switch (element.dataset.time) {
      case "time": element.textContent = dateTime.format(at); break;
      case "day": element.textContent = onlyDate.format(at); break;
      case "relative": element.textContent = distance((at - Date.now()) / 1000); break;
    }
    element.title = exactTime.format(at) + " (" + element.dateTime + ")";
  }
}

function countDown() {
  for (const element of document.querySelectorAll('time[data-time="relative"]')) {
    const text = distance((new Date(element.dateTime) - Date.now()) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
}

async function copy(button) {
  const source = document.querySelector(button.dataset.copy);
  const label = button.querySelector("span") || button;
  const before = button.dataset.label || (button.dataset.label = label.textContent);
  try {
    await navigator.clipboard.writeText(source.value || source.textContent);
    label.textContent = "Copied";
    announce("Copied");
  } catch {
    // Without a secure context there is no clipboard: select the text, so that a key press copies it.
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    label.textContent = "Press Ctrl+C";
    announce("Selected. Press Control C to copy.");
  }
  setTimeout(() => { label.textContent = before; }, 2500);
}

// openDialog shows the dialog that a link or button names, instead of following it.
function openDialog(event, opener) {
  const dialog = document.querySelector(opener.dataset.dialog);
  if (!dialog || typeof dialog.showModal !== "function") return;
  event.preventDefault();
  dialog.showModal();
}

function filterList(input) {
  const wanted = input.value.trim().toLowerCase();
  let shown = 0;
  for (const item of document.querySelectorAll(input.dataset.filter + " > *")) {
    item.hidden = wanted !== "" && !item.textContent.toLowerCase().includes(wanted);
    if (!item.hidden) shown++;
  }
  announce(shown + " shown");
}

// takeFragment moves the fragment of the address, which is a secret, into a form, and sends that. The address in the
// history is left without it.
function takeFragment(form) {
  const token = location.hash.slice(1);
  if (token === "") return;
  history.replaceState(null, "", location.pathname);
  form.elements[form.dataset.fragment].value = token;
  form.requestSubmit();
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy], [data-dialog], [data-close]");
  if (!target) return;
  if (target.dataset.copy) copy(target);
  else if (target.dataset.dialog) openDialog(event, target);
  else { event.preventDefault(); target.closest("dialog").close(); }
});

document.addEventListener("input", (event) => {
  if (event.target.dataset.filter) filterList(event.target);
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "true";
});

// A page from the browser's cache may be used again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.documentElement.classList.add("script");
showTimes();
document.querySelectorAll("form[data-fragment]").forEach(takeFragment);
setInterval(countDown, 1000);

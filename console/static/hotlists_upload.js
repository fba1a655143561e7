// Sending a file to the desk: dropped or chosen, with what has arrived of it; then on to its preview.

import { numberText, word } from "./words.js";

const form = document.getElementById("upload"), drop = document.getElementById("drop");
const file = document.getElementById("file"), chosen = document.getElementById("chosen");
const why = document.getElementById("upload-why"), stop = document.getElementById("upload-stop");
const progress = document.getElementById("upload-progress"), state = document.getElementById("upload-state");
const problem = document.getElementById("upload-problem");
const csrf = document.querySelector("meta[name=csrf]").content;
const MEGABYTE = 1_048_576;
let sending = null;

const sizeText = (bytes) => `${numberText(bytes < MEGABYTE ? bytes / 1024 : bytes / MEGABYTE)} ${bytes < MEGABYTE ? "kB" : "MB"}`;

function show() {
  const [given] = file.files;
  chosen.textContent = given === undefined ? word("hotlists.formats") : `${given.name}, ${sizeText(given.size)}`;
  drop.classList.toggle("filled", given !== undefined);
}

function refuse(sentence, rows = []) {
  problem.querySelector("p").textContent = sentence;
  problem.querySelector("ul").replaceChildren(...rows.map((row) => {
    const line = document.createElement("li");
    line.textContent = row;
    return line;
  }));
  problem.hidden = false;
  problem.focus();
}

function busy(request) {
  sending = request;
  progress.hidden = stop.hidden = request === null;
  for (const each of form.querySelectorAll("input, button[type=submit]")) each.disabled = request !== null;
}

function send() {
  problem.hidden = true;
  const [given] = file.files;
  if (given === undefined) return refuse(word("hotlists.upload_no_file"));
  if (given.size > Number(form.dataset.most)) return refuse(word("hotlists.upload_large", { most: sizeText(Number(form.dataset.most)) }));
  if (!/[\p{L}\p{N}]/u.test(why.value)) return refuse(word("hotlists.why_needed")), why.focus();
  const query = new URLSearchParams({ kind: form.elements.kind.value, why: why.value.trim() });
  const request = new XMLHttpRequest();
  const bar = progress.querySelector("progress");
  request.open("POST", `/hotlists/${encodeURIComponent(form.dataset.name)}/staged?${query}`);
  request.setRequestHeader("X-CSRF-Token", csrf);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.onprogress = (event) => {
    bar.value = event.loaded / event.total;
    state.textContent = word("hotlists.uploading", { done: sizeText(event.loaded), all: sizeText(event.total) });
  };
  request.upload.onload = () => {
    bar.removeAttribute("value");
    state.textContent = word("hotlists.upload_reading");
  };
  request.onload = () => answered(request);
  request.onerror = () => { busy(null); refuse(word("hotlists.upload_failed")); };
  request.onabort = () => { busy(null); refuse(word("hotlists.upload_stopped")); };
  busy(request);
  request.send(given);
}

function answered(request) {
  busy(null);
  let said = {};
  try {
    said = JSON.parse(request.responseText);
  } catch {
    // Whatever answered, it was not the desk.
  }
  if (request.status === 401) location.assign("/sign-in");
  else if (request.status === 201) location.assign(said.preview);
  else refuse(said.detail ?? word("hotlists.upload_failed"), said.rows);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (sending === null) send();
});
stop.addEventListener("click", () => sending?.abort());
file.addEventListener("change", show);

// A file that misses the field by a finger must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
addEventListener("dragover", () => drop.classList.add("over"));
addEventListener("dragleave", (event) => { if (event.relatedTarget === null) drop.classList.remove("over"); });
addEventListener("drop", (event) => {
  drop.classList.remove("over");
  if (sending !== null || event.dataTransfer.files.length === 0) return;
  file.files = event.dataTransfer.files;
  show();
  why.focus();
});
// A page that is gone back to keeps its file, and does not say so by itself.
show();

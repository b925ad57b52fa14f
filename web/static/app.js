// What makes a page live. Without it every page works; nothing moves by itself.

const toast = document.querySelector(".toast");
let toastTimer;

function tell(text) {
  if (!toast) return;
  toast.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.textContent = ""; }, 2500);
}

// fetchPage asks for a page or a part of one. It gives nothing where the session is over: then the login is shown.
async function fetchPage(address, options) {
  const answer = await fetch(address, options);
  if (answer.redirected && new URL(answer.url).pathname === "/login") {
    location.assign(answer.url);
    return null;
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.text();
}

// swap replaces what an element holds. What has the focus keeps it, what is unfolded stays so.
function swap(element, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const open = new Set([...element.querySelectorAll("details[open][id]")].map((d) => d.id));
  for (const details of fresh.content.querySelectorAll("details[id]")) details.open = open.has(details.id);
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.replaceChildren(fresh.content);
  for (const scope of element.querySelectorAll("[data-many]")) counted(scope);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// Live parts: an element with data-live is fetched anew from there every data-every seconds, but not while nobody sees
// the page.
class Live {
  constructor(element) {
    this.element = element;
    this.every = Number(element.dataset.every || 5) * 1000;
    this.html = null;
    this.timer = setTimeout(() => this.refresh(), this.every);
  }

  async refresh() {
    clearTimeout(this.timer);
    if (!this.element.isConnected) return;
    if (document.hidden) return; // visibilitychange goes on
    try {
      const html = await fetchPage(this.element.dataset.live);
      if (html !== null && html !== this.html && !dialog?.open) { // what a question is about must not go
        swap(this.element, html);
        this.html = html;
      }
      this.element.classList.remove("stale-data");
    } catch {
      this.element.classList.add("stale-data");
      tell(toast?.dataset.lost ?? "");
    }
    this.timer = setTimeout(() => this.refresh(), this.every);
  }
}

const lives = [...document.querySelectorAll("[data-live]")].map((element) => new Live(element));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const live of lives) live.refresh();
});

// Search as you type: a form with data-search="id" shows its answer in the element of that id, a moment after the last
// change, and in the address.
for (const form of document.querySelectorAll("form[data-search]")) {
  let timer, running;
  const target = document.getElementById(form.dataset.search);
  const search = async () => {
    running?.abort();
    running = new AbortController();
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    const address = form.action.split("?")[0] + (query.size ? `?${query}` : "");
    query.set("fragment", form.dataset.search);
    try {
      const html = await fetchPage(`${form.action.split("?")[0]}?${query}`, { signal: running.signal });
      if (html === null) return;
      swap(target, html);
      target.classList.remove("stale-data");
      history.replaceState(null, "", address);
    } catch (err) {
      if (err.name !== "AbortError") tell(toast?.dataset.lost ?? "");
    }
  };
  const soon = () => {
    target.classList.add("stale-data");
    clearTimeout(timer);
    timer = setTimeout(search, 200);
  };
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    search();
  });
}

// Preview as you type: a form with data-preview="/address" sends itself there, a moment after the last change, and shows
// the answer in the element of the id in data-shown. It is sent for good by its own button.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let timer, running;
  const target = document.getElementById(form.dataset.shown);
  const preview = async () => {
    running?.abort();
    running = new AbortController();
    try {
      const body = new URLSearchParams(new FormData(form));
      const html = await fetchPage(form.dataset.preview, { method: "POST", body, signal: running.signal });
      if (html !== null) swap(target, html);
      target.classList.remove("stale-data");
    } catch (err) {
      if (err.name !== "AbortError") tell(toast?.dataset.lost ?? "");
    }
  };
  form.addEventListener("input", () => {
    target.classList.add("stale-data");
    clearTimeout(timer);
    timer = setTimeout(preview, 200);
  });
}

// Everything below listens on the document, so that it holds for what is swapped in as well.

// Copy: a button with data-copy copies that text, or with data-copy-from what the element of that id shows.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const text = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom)?.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no clipboard without TLS, but on loopback
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  tell(toast?.dataset.copied ?? "");
});

// Confirm: a form, or the button that submits it, with data-confirm asks first. A dialog tells of its closing a moment late: by then
// it may have been asked anew, and must not take the old answer for the new one.
const dialog = document.getElementById("confirm");
let asking = null; // what is asked about: a form, and what submits it
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (!question || form.dataset.confirmed || !dialog) return;
  event.preventDefault();
  asking = { form, submitter: event.submitter };
  dialog.querySelector("#confirm-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
});
dialog?.addEventListener("close", () => {
  if (dialog.open || !asking) return;
  const { form, submitter } = asking;
  asking = null;
  if (dialog.returnValue !== "yes") return;
  form.dataset.confirmed = "yes";
  form.requestSubmit(submitter);
  delete form.dataset.confirmed;
});

// Select many: a checkbox with data-select-all checks those of its form or table, [data-selected] shows how many are,
// and what has data-needs-selection waits for one.
function counted(scope) {
  const boxes = [...scope.querySelectorAll("input[type=checkbox][name]:not([data-select-all])")];
  const n = boxes.filter((box) => box.checked).length;
  const all = scope.querySelector("[data-select-all]");
  if (all) {
    all.checked = n > 0 && n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
  }
  for (const out of scope.querySelectorAll("[data-selected]")) out.textContent = n;
  for (const button of scope.querySelectorAll("[data-needs-selection]")) {
    button.disabled = n === 0;
    if (button.dataset.confirmMany) button.dataset.confirm = button.dataset.confirmMany.replaceAll("#", n);
  }
}

document.addEventListener("change", (event) => {
  const scope = event.target.closest("[data-many]");
  if (!scope || event.target.type !== "checkbox") return;
  if (event.target.matches("[data-select-all]")) {
    for (const box of scope.querySelectorAll("input[type=checkbox][name]")) box.checked = event.target.checked;
  }
  counted(scope);
});
for (const scope of document.querySelectorAll("[data-many]")) counted(scope);

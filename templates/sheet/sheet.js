"use strict";

const { sheet, seed } = document.body.dataset;
const key = `limner-grades-${sheet}`;
const forms = [...document.forms];
const links = [...document.querySelectorAll("nav a")];
const rater = document.getElementById("rater");
const said = document.getElementById("said");
const state = { rater: "", grades: {}, ...kept() };

function kept() {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

function keep() {
  try {
    localStorage.setItem(key, JSON.stringify(state));
  } catch {
    said.textContent = "This browser keeps nothing for this page: save your grades before you leave it.";
  }
}

function dimensions(form) {
  return [...form.querySelectorAll("fieldset")].map((field) => field.dataset.key);
}

function isGraded(form) {
  return dimensions(form).every((name) => state.grades[form.id]?.[name]);
}

function show() {
  const at = Math.max(0, forms.findIndex((form) => `#${form.id}` === location.hash));
  forms.forEach((form, i) => {
    form.hidden = i !== at;
  });
  links.forEach((link, i) => {
    if (i === at) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  scrollTo(0, 0);
}

function count() {
  const graded = forms.filter(isGraded).length;
  forms.forEach((form, i) => links[i].classList.toggle("done", isGraded(form)));
  document.querySelector("progress").value = graded;
  document.getElementById("count").textContent = `${graded} of ${forms.length} graded`;
  return graded;
}

function save() {
  const name = rater.value.trim();
  if (!name) {
    said.textContent = "Write your name first: it tells your grades from those of others.";
    rater.focus();
    return;
  }
  const left = forms.length - count();
  const grades = { limner_grades: 1, rater: name, seed: Number(seed), grades: state.grades };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(grades, null, 1) + "\n"], { type: "application/json" }));
  link.download = `grades-${name.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  said.textContent = left ? `Saved. ${left} of ${forms.length} articles still lack grades.` : "Saved, with every article graded.";
}

for (const form of forms) {
  for (const [name, level] of Object.entries(state.grades[form.id] ?? {})) {
    const input = form.querySelector(`input[name="${CSS.escape(name)}"][value="${CSS.escape(level)}"]`);
    if (input) input.checked = true;
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    (state.grades[form.id] ??= {})[event.target.name] = Number(event.target.value);
    said.textContent = "";
    keep();
    count();
  });
}
rater.value = state.rater;
rater.addEventListener("input", () => {
  state.rater = rater.value;
  keep();
});
document.getElementById("save").addEventListener("click", save);
addEventListener("hashchange", show);
count();
show();
